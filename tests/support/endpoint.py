#!/usr/bin/env python3
"""An endpoint for the scorers that ask one: endpoint.py LOG. Says its port on stdout, then serves until its stdin
closes. What it does wrong is in the path; LOG gets a JSON line for each request."""
import http.server
import json
import os
import sys
import threading
import time

COUNTS, BUSY, LOCK = {}, set(), threading.Lock()


def chat_answer(request):
    """What a judge says: chosen by the model that is asked for."""
    text = request["messages"][-1]["content"]
    answer, _, wanted = text.partition("|")
    right = answer == wanted
    if request["model"] == "slow":
        time.sleep(0.5)
    said = {
        "slow": json.dumps({"score": float(right)}),
        "fair": json.dumps({"reason": "it is so" if right else "it is not", "score": float(right)}),
        "generous": json.dumps({"reason": "wonderful", "score": 17}),
        "prose": "The answer names 3 of the 4 facts.\n\n**Score: 0.75** out of 1.",
        "fenced": '```json\n{"score": 0.5}\n```',
        "thinking": "<think>between 0 and 1, say 0.9</think>\n0.25",
        "labels": json.dumps({"label": "right" if right else "wrong"}),
        "label_in_prose": "It is Wrong.",
        "mute": "I cannot say.",
    }
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None,
              "message": {"role": "assistant", "content": said.get(request["model"]), "refusal": None}}
    if request["model"] == "refusing":
        choice["message"]["refusal"] = "I will not grade this."
    if request["model"] == "cut":
        choice["finish_reason"], choice["message"]["content"] = "length", '{"reason": "it is'
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": request["model"], "choices": [choice],
            "usage": {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with LOCK:
            COUNTS[self.path] = nth = COUNTS.get(self.path, 0) + 1
            BUSY.add(self)
            with open(sys.argv[1], "a", encoding="utf-8") as log:
                log.write(json.dumps({"path": self.path, "at": time.monotonic(), "at_once": len(BUSY),
                                      "headers": dict(self.headers), "body": body.decode()}) + "\n")
        deed, *arguments = self.path.strip("/").split("/")
        getattr(self, deed)(body, nth, *arguments)

    def say(self, status, text, length=None, **headers):
        data = text.encode()
        with LOCK:
            BUSY.discard(self)  # before the other side can know that it is done
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def score(self, body, nth):
        self.say(200, json.dumps([{"score": float(e["completion"] == e["record"]["output"]), "reason": f"request {nth}",
                                   "sub_scores": {"place": e["index"]}} for e in json.loads(body)]))

    def v1(self, body, nth, *_):
        self.say(200, json.dumps(chat_answer(json.loads(body))))

    def busy(self, body, nth, times, seconds):
        """So often 429, which asks to wait."""
        self.say(429, "slow down", Retry_After=seconds) if nth <= int(times) else self.score(body, nth)

    def failing(self, body, nth, times, status="500", *_):
        """So often another status, whose text has what was asked in it."""
        self.say(int(status), f"no: {dict(self.headers)}") if nth <= int(times) else self.score(body, nth)

    def answers(self, body, nth, what):
        self.say(200, {"garbage": "<html>", "object": "{}", "few": "[]", "words": '["good", {"error": "no idea"}]',
                       "echo": json.dumps([{"score": 1, "reason": str(dict(self.headers))}])}[what])

    def hang(self, body, nth):
        self.rfile.read(1)  # until the other side has had enough

    def cut(self, body, nth):
        self.close_connection = True
        self.say(200, "[1, ", length=100)

    def gone(self, body, nth):
        self.close_connection = True

    def huge(self, body, nth):
        self.say(200, "1" * (17 << 20))

    def elsewhere(self, body, nth):
        self.say(302, "", Location="/score")


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that hangs up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
