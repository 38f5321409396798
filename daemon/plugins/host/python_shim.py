"""Runs a user's Python scorer or adapter under rft-plugin-host: reads episodes (or records) and answers scores (or
examples), a JSON line each. Started with the file and its role.

A scorer's file defines one of
    def score(episodes): -> a list, one number or dict {"score", "reason", "sub_scores", "valid"} per episode
    def grade(sample, item): -> a number (or such a dict) for one episode
and may define summarize(episodes): -> a dict of numbers over a whole split. An adapter's defines
    def adapt(record): -> a dict {"prompt", "output", "record"}, a list of them, or None to leave the record out
    or read(path): -> a list (or a generator) of such dicts, all that is in the data file
Both may define configure(options), called once. A file with none of its role's functions speaks the line protocol
itself, and is run as it is. See docs/scorers.md and docs/adapters.md.
"""
import ast
import io
import json
import math
import os
import sys
import traceback
import types

ROLES = {
    "scorer": {"functions": ("score", "grade"), "options": "RFT_SCORER_OPTIONS",
               "lacks": "it has neither score() nor grade()"},
    "dataset-adapter": {"functions": ("adapt", "read"), "options": "RFT_ADAPTER_OPTIONS",
                        "lacks": "it has neither adapt() nor read()"},
}


def defined_names(node, at_top=True):
    """The names that a module's top level defines, without running it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            yield child.name
        elif isinstance(child, (ast.ImportFrom, ast.Import)):
            yield from (alias.asname or alias.name for alias in child.names)
        elif isinstance(child, ast.Assign) and at_top:  # in a branch it may be any program's variable
            yield from (target.id for target in child.targets if isinstance(target, ast.Name))
        elif isinstance(child, (ast.If, ast.Try, ast.ExceptHandler, ast.With)):
            yield from defined_names(child, at_top=False)


def parse(path):
    with open(path, encoding="utf-8") as file:
        return ast.parse(file.read(), path)


def run(tree, path, module_name):
    module = types.ModuleType(module_name)
    module.__file__ = path
    sys.modules[module_name] = module
    # The pinned copy of a job's file lies elsewhere than its neighbours, which are in the working folder.
    sys.path[:0] = [os.getcwd(), os.path.dirname(path)]
    exec(compile(tree, path, "exec"), module.__dict__)
    return module


def where(error, path):
    """The exception, with the line of the user's file that it came from: in its first line, which tables show alone."""
    if isinstance(error, SyntaxError) and error.lineno:
        place = f"{error.filename}:{error.lineno}: {(error.text or '').strip()[:100]}"
        text = f"{type(error).__name__}: {error.msg} ({place})"
    else:
        text = "".join(traceback.format_exception_only(type(error), error)).strip()
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if not lines:
        return text
    first, newline, rest = text.partition("\n")
    return f"{first} ({path}:{lines[-1]}){newline}{rest}"


def load(tree, path, role):
    module = run(tree, path, "plugin")
    if not any(hasattr(module, function) for function in role["functions"]):
        raise ImportError(role["lacks"])
    return module


def configure(module, role):
    if hasattr(module, "configure"):
        module.configure(json.loads(os.environ.get(role["options"], "{}")))


class ProgramInput(io.FileIO):
    """A program's standard input, that says when it is used first."""

    # By what a program may use its descriptor 0 instead.
    OTHER_USES = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn")

    def __init__(self, at_first_use):
        super().__init__(0, closefd=False)
        self.used = False
        self.at_first_use = at_first_use
        sys.addaudithook(self.audit)

    def audit(self, event, arguments):
        if event in self.OTHER_USES or (event == "open" and arguments[0] in (0, "/dev/stdin")):
            self.use()

    def use(self):
        if not self.used:
            self.used = True
            self.at_first_use()

    def readinto(self, buffer):
        self.use()
        return super().readinto(buffer)

    def readall(self):
        self.use()
        return super().readall()


def run_program(tree, path, role, write):
    """Runs a file that speaks the line protocol itself. It is loaded once it turns to its standard input."""
    stdin = ProgramInput(lambda: write({"ready": True, "summary": False}))
    sys.stdin = io.TextIOWrapper(io.BufferedReader(stdin), encoding="utf-8")
    sys.argv = [path]
    try:
        run(tree, path, "__main__")
    except Exception as error:
        traceback.print_exc()
        write({"batch_error" if stdin.used else "error": where(error, path)})
        return
    if not stdin.used:
        write({"error": role["lacks"] + ", and ended without reading its standard input"})
    # Seen only by somebody whose plugin ended too early: its last words are in the error.
    print(role["lacks"] + ", so it was run as a program and ended", file=sys.stderr)


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
    values = module.score(episodes)
    wanted = f"score() must return a list of {len(episodes)} numbers"
    if isinstance(values, (str, dict)) or not hasattr(values, "__iter__"):
        raise TypeError(f"{wanted}; it returned {values!r:.80}")
    values = list(values)
    if len(values) != len(episodes):
        raise ValueError(f"{wanted}; it returned {len(values)}")
    return [answer(value) for value in values]


def example(value):
    """What the user returned for one record, as a line's value."""
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise TypeError(f'adapt() must return a dict with "prompt", a list of them, or None; it returned {value!r:.80}')
    return list(value)


def adapt(module, path, requests, write):
    for line in requests:
        try:
            value = example(module.adapt(json.loads(line)["record"]))
            json.dumps(value, allow_nan=False)
            write(value)
        except Exception as error:  # refuses this record
            traceback.print_exc()
            write({"error": where(error, path)})


def examples_of(values):
    """What the user's read() returned, one by one as it makes them."""
    wanted = 'read() must return a list of dicts with "prompt", or yield them'
    if isinstance(values, (str, dict)) or not hasattr(values, "__iter__"):
        raise TypeError(f"{wanted}; it returned {values!r:.80}")
    for value in values:
        if not isinstance(value, dict):
            raise TypeError(f"{wanted}; among them is {value!r:.80}")
        yield {"record": {}, **value}


def read(module, path, requests, write):
    for line in requests:
        file = json.loads(line)["read"]
        try:
            for value in examples_of(module.read(file)):
                json.dumps(value, allow_nan=False)
                write(value)
            write(None)
        except Exception as error:  # refuses the file
            traceback.print_exc()
            write({"error": f"{file}: {where(error, path)}"})


def serve(module, path, requests, write):
    batch = []
    for line in requests:
        request = json.loads(line)
        try:
            if "summarize" in request:
                numbers = module.summarize(request["summarize"])
                write({"summary": {str(name): number(value, f'its figure "{name}"') for name, value in numbers.items()}})
                continue
            batch.append(request)
            if len(batch) < request["of"]:
                continue
            episodes, batch = batch, []
            for result in score_batch(module, path, episodes):
                write(result)
        except Exception as error:
            traceback.print_exc()
            write({"batch_error": str(error) if isinstance(error, NoNumber) else where(error, path)})


def main():
    path, role_name = sys.argv[1:]
    role = ROLES[role_name]
    write_to = os.fdopen(os.dup(1), "w", encoding="utf-8")

    def write(line):
        write_to.write(json.dumps(line) + "\n")
        write_to.flush()

    try:
        tree = parse(path)
        defined = set(defined_names(tree))
        if not defined.intersection(role["functions"]):
            for other_name, other in ROLES.items():
                if defined.intersection(other["functions"]) - {"read"}:  # any program may read
                    raise ImportError(f"{role['lacks']}: it is a {other_name}")
            run_program(tree, path, role, write)
            return
        # What the user's code prints goes to the log; what it reads is nothing.
        requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
        os.dup2(2, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        module = load(tree, path, role)
    except Exception as error:
        traceback.print_exc()
        write({"error": where(error, path)})
        return
    try:
        configure(module, role)
    except Exception as error:
        traceback.print_exc()
        write({"refused": where(error, path)})
        return
    reads = role_name == "dataset-adapter" and not hasattr(module, "adapt")
    write({"ready": True, "summary": hasattr(module, "summarize"), "reads": reads})
    (serve if role_name == "scorer" else read if reads else adapt)(module, path, requests, write)


main()
