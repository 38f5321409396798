#!/usr/bin/env python3
"""A client written from docs/protocol.md alone, with nothing but pyzmq and the standard library, against a real
daemon:

    protocol_client_test.py BIN_DIR TINY_MODEL_DIR
"""

import json
import pathlib
import random
import socket as sockets
import subprocess
import sys
import tempfile
import unittest
import uuid

import zmq

BIN, MODEL = (pathlib.Path(argument) for argument in sys.argv[1:3])
PATIENCE_MS = 120_000

JOB_TOML = """
[model]
path = "tiny"
[data]
train = "train.jsonl"
[scorer]
plugin = "exact_match"
[training]
epochs = 1
[rollout]
max_new_tokens = 4
[resources]
cores = 1
"""


class Client:
    def __init__(self, home):
        self.context = zmq.Context()
        self.home = home
        self.control = self.socket(zmq.DEALER, "control.sock")

    def socket(self, kind, name):
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.rcvtimeo = PATIENCE_MS
        socket.connect(f"ipc://{self.home}/run/{name}")
        return socket

    def send(self, verb, args=None, request_id=None):
        self.control.send_json({"v": 1, "id": request_id or uuid.uuid4().hex, "verb": verb, "args": args or {}})

    def reply(self):
        return self.control.recv_json()

    def ask(self, verb, args=None, request_id=None):
        self.send(verb, args, request_id)
        reply = self.reply()
        assert reply["ok"], reply
        return reply["result"]

    def error(self, verb, args=None):
        self.send(verb, args)
        reply = self.reply()
        assert not reply["ok"], reply
        return reply["error"]

    def subscribe(self, topic):
        """A subscription that is known to have arrived before the next request."""
        events = self.context.socket(zmq.SUB)
        events.linger = 0
        events.rcvtimeo = PATIENCE_MS
        monitor = events.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        events.subscribe(topic)
        events.connect(f"ipc://{self.home}/run/events.sock")
        monitor.rcvtimeo = PATIENCE_MS
        monitor.recv_multipart()
        events.disable_monitor()
        monitor.close()
        return events

    def close(self):
        self.context.destroy(linger=0)


class ProtocolClient(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="rft-test-")
        self.home = pathlib.Path(self.folder.name, "home")
        self.home.mkdir(mode=0o700)
        (self.home / "models").mkdir()
        (self.home / "models/tiny").symlink_to(MODEL)
        self.start()

    def start(self):
        ready, told = self.notification_socket()
        self.daemon = subprocess.Popen([BIN / "rftd", "--home", self.home], stderr=subprocess.DEVNULL,
                                       env={"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": told})
        with ready:
            self.assertEqual(ready.recv(64), b"READY=1")
        self.client = Client(self.home)

    def notification_socket(self):
        path = str(pathlib.Path(self.folder.name, "notify"))
        pathlib.Path(path).unlink(missing_ok=True)
        listener = sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM)
        listener.settimeout(60)
        listener.bind(path)
        return listener, path

    def tearDown(self):
        self.client.close()
        self.daemon.terminate()
        self.daemon.wait(10)
        self.folder.cleanup()

    def job_folder(self):
        folder = pathlib.Path(self.folder.name, "words")
        folder.mkdir(exist_ok=True)
        (folder / "job.toml").write_text(JOB_TOML)
        rows = [{"input": word, "output": "letter"} for word in ("abcd", "efgh", "ijkl", "mnop")]
        (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(folder)

    def test_ping_says_who_answers(self):
        answer = self.client.ask("ping")
        self.assertEqual(answer["pid"], self.daemon.pid)
        self.assertEqual(answer["home"], str(self.home))
        self.assertEqual(answer["protocol"], 1)

    def test_a_job_is_followed_from_its_snapshot_to_its_end(self):
        job = self.client.ask("submit", {"folder": self.job_folder()})["job"]["id"]
        events = self.client.subscribe(f"job.{job}.")
        snapshot = self.client.ask("snapshot", {"job": job})
        state, topics = snapshot["jobs"][0], {}
        while state["state"] != "succeeded":
            topic, body = events.recv_multipart()
            event = json.loads(body)
            self.assertEqual(event["topic"], topic.decode())
            self.assertEqual(event["boot"], snapshot["boot"])
            if event["seq"] <= snapshot["sequences"].get(event["topic"], 0):
                continue
            last = topics.get(event["topic"], snapshot["sequences"].get(event["topic"], 0))
            self.assertEqual(event["seq"], last + 1, "no event was lost")
            topics[event["topic"]] = event["seq"]
            if event["topic"].endswith(".status"):
                state = event["data"]
                self.assertNotIn(state["state"], ("failed", "rejected"), state)
        shown = self.client.ask("show", {"job": job})["job"]
        self.assertEqual(shown["state"], "succeeded")
        self.assertEqual(shown["result"], state["result"])
        self.assertIn(f"job.{job}.metrics", topics)
        self.assertIn(f"job.{job}.validation", topics)

        page, rows = {"next_offset": 0, "size": 1}, []
        while page["next_offset"] < page["size"]:
            page = self.client.ask("rollouts", {"job": job, "offset": page["next_offset"], "limit": 3})
            self.assertLessEqual(len(page["rows"]), 3)
            rows += page["rows"]
        self.assertEqual(len(rows), shown["result"]["iterations"] * 3 * 4, "prompts that train x samples")

    def test_a_mutation_that_is_sent_again_has_one_effect(self):
        request = uuid.uuid4().hex
        first = self.client.ask("submit", {"folder": self.job_folder()}, request)["job"]["id"]
        again = self.client.ask("submit", {"folder": self.job_folder()}, request)["job"]["id"]
        self.assertEqual(first, again)
        self.assertEqual(len(self.client.ask("ls")["jobs"]), 1)

    def test_a_mutation_is_done_once_also_across_a_killed_daemon(self):
        request = uuid.uuid4().hex
        first = self.client.ask("submit", {"folder": self.job_folder()}, request)["job"]["id"]
        self.daemon.kill()
        self.daemon.wait(10)
        self.client.close()
        self.start()
        again = self.client.ask("submit", {"folder": self.job_folder()}, request)["job"]["id"]
        self.assertEqual(first, again)
        self.assertEqual(len(self.client.ask("ls")["jobs"]), 1)

    def test_garbage_gets_an_error_each_time_and_changes_nothing(self):
        seeded = random.Random(11)
        for _ in range(500):
            frames = [seeded.randbytes(seeded.randrange(200)) for _ in range(seeded.randrange(1, 5))]
            self.client.control.send_multipart(frames)
            self.assertFalse(json.loads(self.client.control.recv_multipart()[-1])["ok"])
        self.assertEqual(self.client.ask("ls")["jobs"], [])
        self.assertEqual(self.client.ask("ping")["pid"], self.daemon.pid)

    def test_bytes_that_are_no_zeromq_do_no_harm(self):
        for name in ("control.sock", "events.sock"):
            for seed in range(20):
                with sockets.socket(sockets.AF_UNIX) as raw:
                    raw.connect(str(self.home / "run" / name))
                    raw.sendall(random.Random(seed).randbytes(1000))
        self.assertEqual(self.client.ask("ping")["pid"], self.daemon.pid)

    def test_errors_carry_the_codes_of_the_table(self):
        self.assertEqual(self.client.error("show", {"job": 99})["code"], "not_found")
        self.assertEqual(self.client.error("dance")["code"], "unsupported")
        self.assertEqual(self.client.error("show", {"jobb": 1})["code"], "invalid_argument")
        self.client.control.send(b"{")
        self.assertEqual(self.client.reply()["error"]["code"], "invalid_argument")
        self.client.control.send_json({"v": 2, "id": "x", "verb": "ls", "args": {}})
        self.assertEqual(self.client.reply()["error"]["code"], "unsupported")
        self.client.control.send(b"[" * 100_000)
        self.assertEqual(self.client.reply()["error"]["code"], "invalid_argument")
        self.assertEqual(self.client.ask("ping")["pid"], self.daemon.pid)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
