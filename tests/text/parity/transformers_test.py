#!/usr/bin/env python3
"""`rft-worker inspect encode`, `decode` and `render` against the Python packages `tokenizers` and `transformers`, on
the tokenizers and templates of tests/data/text:

    transformers_test.py RFT_WORKER [--every-code-point]

Without the option it takes every assigned code point and every 127th of the others. A wrong one is named alone.
"""

import itertools
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import unittest

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"
sys.path.insert(0, str(DATA))

import make_text_vectors as vectors  # noqa: E402
import transformers  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

WORKER = sys.argv[1]
EVERY = "--every-code-point" in sys.argv
KINDS = ("gpt2", "llama3", "qwen2", "llama2", "unigram", "wordpiece")
CODE_POINTS_A_TEXT = 64


def inspect(verb, folder, questions):
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run([WORKER, "inspect", verb, folder], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def code_points():
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        if EVERY or unicodedata.category(chr(code)) not in ("Cn", "Co") or code % 127 == 0:
            yield chr(code)


def texts_of_code_points():
    characters = list(code_points())
    for begin in range(0, len(characters), CODE_POINTS_A_TEXT):
        yield in_context(characters[begin:begin + CODE_POINTS_A_TEXT])


def in_context(characters):
    return "".join(f"{c}a{c} 1{c}\n" for c in characters)


def contractions():
    for apostrophe, ending in itertools.product("'’", ("s", "t", "re", "ve", "m", "ll", "d", "x")):
        for form in (ending, ending.upper(), ending.title()):
            short = apostrophe + form
            yield f"we{short} {short} 1{short}é {apostrophe}{short}.WE{short}x"


def added_tokens(tokenizer):
    around = ("", " ", "  ", "\n", " \n ", "\t", "a", "a ", " a", "\u00a0", "é", ".")
    for token in tokenizer.get_added_tokens_decoder().values():
        for before, after in itertools.product(around, around):
            yield f"{before}{token.content}{after}"
        yield token.content * 3
        yield token.content[:-1]


def random_texts(count=400):
    chance = random.Random(7)
    alphabets = ["abc XYZ'’.,!?\n\t", "  \u00a0\u2003\r\n\t", "日本語한국어العربية", "e\u0301a\u0308\ufb01ﷺ½", "🦀👩‍👧🇩🇪",
                 "0123456789 "]
    for _ in range(count):
        alphabet = chance.choice(alphabets) + chance.choice(alphabets)
        text = [chance.choice(alphabet) for _ in range(chance.randrange(1, 60))]
        text += [chr(chance.choice((0x80, 0x3000, 0x1F300, 0xE000, 0x10000)) + chance.randrange(0x200))
                 for _ in range(chance.randrange(4))]
        chance.shuffle(text)
        yield "".join(text)


class Parity(unittest.TestCase):
    maxDiff = 600

    def texts(self, tokenizer):
        words = [tokenizer.decode([number]) for number in range(tokenizer.get_vocab_size())]
        yield from (f"{spelt} {word}{word} " for spelt, word in zip(tokenizer.get_vocab(), words))
        yield from contractions()
        yield from added_tokens(tokenizer)
        yield from random_texts()

    def expect_ids(self, folder, texts, encode, flags=(True, False)):
        for special in flags:
            questions = [{"text": text, "add_special_tokens": special} for text in texts]
            for text, answer in zip(texts, inspect("encode", folder, questions), strict=True):
                if answer != {"ids": encode(text, special)}:
                    self.name_the_wrong_part(folder, text, special, encode)

    def name_the_wrong_part(self, folder, text, special, encode):
        parts = [line + "\n" for line in text.split("\n")]
        questions = [{"text": part, "add_special_tokens": special} for part in parts]
        for part, answer in zip(parts, inspect("encode", folder, questions), strict=True):
            self.assertEqual(answer, {"ids": encode(part, special)}, f"{folder}: {part!a} special={special}")
        self.fail(f"{folder}: {text!a} special={special}: wrong as a whole, not by its lines")

    def test_encode_gives_the_ids_of_the_reference(self):
        for kind in KINDS:
            folder = DATA / "text" / kind
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

            def encode(text, special):
                return tokenizer.encode(text, add_special_tokens=special).ids

            self.expect_ids(folder, list(self.texts(tokenizer)), encode)
            self.expect_ids(folder, list(texts_of_code_points()), encode, flags=(False,))

    def test_decode_gives_the_text_of_the_reference(self):
        chance = random.Random(11)
        for kind in KINDS:
            folder = DATA / "text" / kind
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            num_ids = tokenizer.get_vocab_size() + 3  # some that no token has
            lists = [[number] for number in range(num_ids)]
            lists += [[chance.randrange(num_ids) for _ in range(chance.randrange(30))] for _ in range(2000)]
            lists += [tokenizer.encode(text).ids for text in random_texts()]
            for skip in (True, False):
                answers = inspect("decode", folder, [{"ids": ids, "skip_special_tokens": skip} for ids in lists])
                for ids, answer in zip(lists, answers, strict=True):
                    self.assertEqual(answer, {"text": tokenizer.decode(ids, skip_special_tokens=skip)}, f"{kind} {ids}")

    def test_vocab_json_and_merges_are_read_as_transformers_reads_them(self):
        for kind, reader in (("gpt2", transformers.GPT2Tokenizer), ("qwen2", transformers.Qwen2Tokenizer)):
            for config in ({}, {"eos_token": "<|eot|>", "pad_token": "<|pad|>"}):
                with tempfile.TemporaryDirectory() as folder:
                    self.write_bpe_files(pathlib.Path(folder), kind, {"tokenizer_class": reader.__name__, **config})
                    tokenizer = reader.from_pretrained(folder)
                    texts = vectors.TEXTS + list(contractions()) + list(random_texts(100)) + [
                        f"a {token} b{token}" for token in ("<|endoftext|>", "<|eot|>", "<|pad|>", "<tool>")]
                    self.expect_ids(folder, texts,
                                    lambda text, special: tokenizer(text, add_special_tokens=special)["input_ids"])

    def write_bpe_files(self, folder, kind, config):
        stored = json.loads((DATA / "text" / kind / "tokenizer.json").read_text())
        added = {token.pop("id"): token for token in stored["added_tokens"]}
        (folder / "vocab.json").write_text(json.dumps(stored["model"]["vocab"]))
        merges = [" ".join(pair) for pair in stored["model"]["merges"]]
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
        (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added, **config}))

    def test_render_gives_the_text_of_apply_chat_template(self):
        for template in sorted((DATA / "text/templates").glob("*.jinja")):
            with tempfile.TemporaryDirectory() as folder:
                shutil.copy(template, pathlib.Path(folder, "chat_template.jinja"))
                shutil.copy(DATA / "text/gpt2/tokenizer.json", folder)
                pathlib.Path(folder, "tokenizer_config.json").write_text(json.dumps(
                    {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin|>", "eos_token": "<|eot|>"}))
                vectors.tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
                cases = [(messages, tools, more) for messages in vectors.CONVERSATIONS.values()
                         for tools in (None, vectors.TOOLS) for more in (True, False)]
                questions = [{"messages": messages, "tools": tools, "add_generation_prompt": more,
                              "now": vectors.NOW.isoformat()} for messages, tools, more in cases]
                for case, answer in zip(cases, inspect("render", folder, questions), strict=True):
                    expected = vectors.render(template.read_text(), *case)
                    self.assertEqual(answer.get("text"), expected.get("text"), f"{template.name} {case}: {answer}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
