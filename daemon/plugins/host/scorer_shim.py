"""Runs a user's Python scorer under rft-plugin-host: reads episodes and answers scores, a JSON line each.

The user's file defines one of
    def score(episodes): -> a list, one number or dict {"score", "reason", "sub_scores", "valid"} per episode
    def grade(sample, item): -> a number (or such a dict) for one episode
and may define configure(options), called once, and summarize(episodes): -> a dict of numbers over a whole split.
A file with neither function speaks the line protocol itself, and is run as it is. See docs/scorers.md.
"""
import ast
import importlib.util
import json
import math
import os
import runpy
import sys
import traceback

SCORING = ("score", "grade")


def defined_names(tree):
    """The names that a module's top level defines, without running it."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, (ast.ImportFrom, ast.Import)):
            yield from (alias.asname or alias.name for alias in node.names)


def where(error, path):
    """The exception in one line, with the line of the user's file that it came from."""
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f"{text} ({os.path.basename(path)}, line {lines[-1]})" if lines else text


def load(path):
    # The pinned copy of a job's file lies elsewhere than its neighbours, which are in the working folder.
    sys.path[:0] = [os.getcwd(), os.path.dirname(path)]
    spec = importlib.util.spec_from_file_location("scorer", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["scorer"] = module
    spec.loader.exec_module(module)
    if hasattr(module, "configure"):
        module.configure(json.loads(os.environ.get("RFT_SCORER_OPTIONS", "{}")))
    return module


class NoNumber(Exception):
    """Something else stands where a number is wanted."""


def number(value, what):
    """A number as JSON can carry it: NaN and the infinities by name."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise NoNumber(f"{what} is no number: {value!r:.80}") from None
    return value if math.isfinite(value) else repr(value)


def answer(value):
    """What the user returned for one episode, as a line's object; what is no score fails that episode alone."""
    try:
        return line_of(value)
    except NoNumber as error:
        return {"error": str(error)}


def line_of(value):
    if value is None:
        return {"score": None}
    if not isinstance(value, dict):
        return {"score": number(value, "its score")}
    line = {key: str(value[key]) for key in ("reason", "error") if value.get(key) is not None}
    if value.get("score") is not None:
        line["score"] = number(value["score"], "its score")
    if "valid" in value:
        line["valid"] = bool(value["valid"])
    if value.get("sub_scores"):
        parts = value["sub_scores"].items()
        line["sub_scores"] = {str(name): number(part, f'its sub-score "{name}"') for name, part in parts}
    return line


def as_json(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def grade_one(module, path, episode):
    text = episode["completion"]
    message = {"role": "assistant", "content": text}
    sample = {
        "output_text": text,
        "output_json": as_json(text),
        "output_tools": [],
        "choices": [{"message": message, "finish_reason": episode["finish_reason"]}],
    }
    try:
        return answer(module.grade(sample, episode["record"]))
    except Exception as error:  # fails this episode alone
        traceback.print_exc()
        return {"error": where(error, path)}


def score_batch(module, path, episodes):
    if not hasattr(module, "score"):
        return [grade_one(module, path, episode) for episode in episodes]
    values = list(module.score(episodes))
    if len(values) != len(episodes):
        raise ValueError(f"score() answered {len(values)} values for {len(episodes)} episodes")
    return [answer(value) for value in values]


def serve(module, path, requests, write):
    batch = []
    for line in requests:
        request = json.loads(line)
        try:
            if "summarize" in request:
                numbers = module.summarize(request["summarize"])
                write({"summary": {str(name): number(value, f'"{name}"') for name, value in numbers.items()}})
                continue
            batch.append(request)
            if len(batch) < request["of"]:
                continue
            episodes, batch = batch, []
            for result in score_batch(module, path, episodes):
                write(result)
        except Exception as error:
            traceback.print_exc()
            write({"batch_error": where(error, path)})


def main():
    path = sys.argv[1]
    write_to = os.fdopen(os.dup(1), "w", encoding="utf-8")

    def write(line):
        write_to.write(json.dumps(line) + "\n")
        write_to.flush()

    try:
        with open(path, encoding="utf-8") as file:
            names = set(defined_names(ast.parse(file.read(), path)))
        if not names.intersection(SCORING):
            write({"ready": True, "summary": False})
            sys.argv = [path]
            sys.path[0] = os.getcwd()
            runpy.run_path(path, run_name="__main__")
            # Seen only by somebody whose scorer ended too early: its last words are in the error.
            print("it has neither score() nor grade(), so it was run as a program and ended", file=sys.stderr)
            return
        # What the user's code prints goes to the log; what it reads is nothing.
        requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
        os.dup2(2, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        module = load(path)
    except Exception as error:
        traceback.print_exc()
        write({"error": where(error, path)})
        return
    write({"ready": True, "summary": hasattr(module, "summarize")})
    serve(module, path, requests, write)


main()
