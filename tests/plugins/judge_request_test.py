#!/usr/bin/env python3
"""What the scorer `judge` sends is a chat completion as OpenAI's own client types it, and what the tests' endpoint
answers is one as that client reads it: judge_request_test.py BIN JUDGE_SO."""
import json
import pathlib
import subprocess
import sys
import tempfile

import pydantic
from openai.types.chat import ChatCompletion, completion_create_params

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
import endpoint  # noqa: E402

PARAMETERS = completion_create_params.CompletionCreateParamsNonStreaming
EPISODE = {"prompt": "task", "completion": "a", "record": {"output": "a"}}
MESSAGES = [{"role": role, "content": "{{sample.output_text}}|{{item.output}}"} for role in ("system", "developer", "user")]
JOBS = {
    "a rubric": {"rubric": "right?"},
    "messages": {"messages": MESSAGES},
    "labels": {"rubric": "right?", "labels": ["right", "wrong"], "passing_labels": ["right"]},
    "json_object": {"rubric": "right?", "response_format": "json_object"},
    "no format": {"rubric": "right?", "response_format": "none"},
    "sampling": {"rubric": "right?", "sampling_params": {"max_completion_tokens": 64, "seed": 1, "top_p": 0.5,
                                                          "reasoning_effort": "low"}},
}


def serve(log):
    server = subprocess.Popen([sys.executable, endpoint.__file__, log], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return server, f"http://127.0.0.1:{int(server.stdout.readline())}/v1"


def main():
    host, judge = pathlib.Path(sys.argv[1]) / "rft-plugin-host", sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "requests.jsonl"
        server, url = serve(log)
        for options in JOBS.values():
            model = "labels" if "labels" in options else "fair"
            result = subprocess.run([host, "score", judge, "--folder", folder, "--network", "--options",
                                     json.dumps({"url": url, "model": model, **options})],
                                    input=json.dumps(EPISODE), capture_output=True, text=True, check=True)
            assert "score" in json.loads(result.stdout.splitlines()[0]), result.stdout
        server.communicate(b"")
        bodies = [json.loads(json.loads(line)["body"]) for line in log.read_text().splitlines()]
    assert len(bodies) == len(JOBS)
    adapter = pydantic.TypeAdapter(PARAMETERS)
    for name, body in zip(JOBS, bodies):
        unknown = set(body) - set(PARAMETERS.__annotations__) - set(
            completion_create_params.CompletionCreateParamsBase.__annotations__)
        assert not unknown, f"{name}: {unknown}"
        typed = adapter.validate_python(body, strict=True)
        list(typed["messages"])  # which is checked as it is read
        ChatCompletion.model_validate(endpoint.chat_answer(body), strict=True)
    print(f"{len(bodies)} requests are as OpenAI's client types them")


main()
