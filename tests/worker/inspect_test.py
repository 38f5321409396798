#!/usr/bin/env python3
"""`rft-worker inspect` as a person drives it: what it needs, and what it says of what is wrong.

    inspect_test.py RFT_WORKER WORDS_JSONL
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

WORKER, WORDS = sys.argv[1:3]
TEMPLATE = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}{{ strftime_now('%Y') }}"


def run(*arguments, lines=""):
    return subprocess.run([WORKER, *arguments], input=lines, capture_output=True, text=True)


class Inspect(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.model = pathlib.Path(cls.temporary.name, "model")
        run("new-model", "--from", WORDS, "--out", cls.model, "--vocabulary", "300", "--layers", "1", "--hidden", "16",
            "--heads", "2").check_returncode()

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def copy_of(self, *names):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.temporary.name))
        for name in names:
            shutil.copy(self.model / name, folder)
        return folder

    def ask(self, verb, folder, *questions):
        lines = "".join(q if isinstance(q, str) else json.dumps(q) + "\n" for q in questions)
        done = run("inspect", verb, folder, lines=lines)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_text_verbs_need_no_weights(self):
        folder = self.copy_of("tokenizer.json")
        (folder / "chat_template.jinja").write_text(TEMPLATE)
        (ids,) = self.ask("encode", folder, {"text": "vowel"})
        self.assertEqual(self.ask("decode", folder, ids), [{"text": "vowel"}])
        question = {"messages": [{"role": "user", "content": "Hi"}], "now": "1999-01-31T09:00:00"}
        self.assertEqual(self.ask("render", folder, question), [{"text": "[user] Hi1999"}])

    def test_ids_need_no_tokenizer(self):
        folder = self.copy_of("config.json", "model.safetensors")
        (answer,) = self.ask("logits", folder, {"ids": [3, 4, 5], "positions": [0, 2]})
        self.assertEqual([len(answer["logits"]), answer["log_probs"][1]], [2, None])
        (answer,) = self.ask("generate", folder, {"ids": [3], "max_new_tokens": 4, "ignore_eos": True})
        self.assertEqual([len(answer["ids"]), answer["finish_reason"]], [4, "length"])

    def test_a_line_that_fails_is_answered_and_the_next_is_taken(self):
        wrong = {
            "nonsense\n": "not valid JSON",
            '["text"]\n': "not a JSON object",
            '{"text": 5}\n': '"text": type must be string, but is number',
            "{}\n": '"text" is missing',
            '{"text": "a", "add_special_tokens": "yes"}\n': '"add_special_tokens": type must be boolean',
        }
        *answers, last = self.ask("encode", self.model, *wrong, "\n", {"text": "vowel", "add_special_tokens": None})
        for (question, reason), answer in zip(wrong.items(), answers, strict=True):
            self.assertIn(reason, answer["error"], question)
        self.assertIn("ids", last)

    def test_ids_that_are_none_are_named(self):
        for ids, reason in (([1.5], "1.5 is no token id"), (["a"], '"a" is no token id'), ([-1], "no token has the id -1"),
                            (3, '"ids": type must be array')):
            self.assertIn(reason, self.ask("decode", self.model, {"ids": ids})[0]["error"])
        self.assertIn("outside the vocabulary", self.ask("logits", self.model, {"ids": [10**6]})[0]["error"])

    def test_what_cannot_begin_says_why(self):
        empty = self.copy_of()
        broken = self.copy_of()
        (broken / "chat_template.jinja").write_text("\n\n{% if %}")
        for arguments, code, reason in (
                (("encode", empty), 1, "has no tokenizer.json"),
                (("render", empty), 1, "has no chat template"),
                (("render", broken), 1, "chat_template.jinja: line 3: syntax error"),
                (("logits", empty), 1, "config.json"),
                (("encode", "/nonexistent"), 2, "/nonexistent"),
                (("sing", self.model), 1, 'unknown verb "sing"; there are summary, logits'),
                (("encode",), 2, "MODEL_DIR is required"),
                (("logits", self.model, "--dtype", "int4"), 2, "--dtype: int4 not in")):
            done = run("inspect", *arguments)
            self.assertEqual(done.returncode, code, arguments)
            self.assertIn(reason, done.stderr + done.stdout, arguments)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
