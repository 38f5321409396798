#!/usr/bin/env python3
"""Writes tests/data/text: tokenizers and expected answers for tests/text, made by the reference implementations.

Tokenizers of the kinds that model families use are trained here on a few lines, so that nothing is downloaded;
their ids come from the Python package `tokenizers`. Chat templates (tests/data/text/templates, the families' own, and
the small ones of template_snippets.py) are rendered by `transformers`, through jinja2. Needs the environment of
`scripts/bootstrap --tests`:

    ~/.cache/rftd/test-env/bin/python tests/data/make_text_vectors.py
"""

import datetime
import json
import pathlib

import template_snippets
import transformers
import transformers.utils.chat_template_utils as chat_templates
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = pathlib.Path(__file__).parent / "text"
NOW = datetime.datetime(2026, 1, 31, 9, 5, 7)

LLAMA3_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2_SPLIT = LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}")

CORPUS = [
    "The daemon trains a model: it isn't magic, it's a loop. We've seen what they'll say, and I'd agree.",
    "libfoo-dev, python3-numpy and golang-github-x-y are packages; 12345 of them, 2026-01-31.",
    "Über die Straße, naïve café, Ελληνικά, русский текст, 日本語のテキスト, 한국어, עברית, العربية.",
    "def f(x):\n    return x ** 2  # squares\n\n\tprint('tabs')\r\n",
] * 8

TEXTS = [
    "", " ", "  two  spaces  ", "Hello, world!", "isn't it's they'll I'D WE'VE", "don't can’t",
    "libfoo-dev python3-numpy 1234567890", "naïve café Straße", "e\u0301 decomposed, \u00e9 composed, \ufb01 ligature",
    "日本語 한국어 русский עברית العربية", "🦀 emoji 👩‍👩‍👧 family 🇩🇪", "tab\tnewline\ncrlf\r\nend\n\n", "\u200b\ufeff zero width",
    "a<|eot|>b", "<|eot|><|eot|>", " <|eot|> spaced ", "<|begin|>begin", "tool <tool> call", "x<tool>y", "<|eo t|>",
    "\x00\x01 control", "ﷺ ½ ² Ⅷ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "    indented\n        more", "AAAAAAAAAAAAAAAAAAAA", "\ufffd replacement",
]


def byte_level_bpe(name, split=None, normalizer=None, begin=False, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    if split:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=420, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return finish(name, tokenizer, begin)


def metaspace_bpe(name):
    """SentencePiece's BPE with byte fallback, as Llama 2, Mistral and Gemma have it."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.train_from_iterator([text[:60] for text in CORPUS[:2]] * 8, trainers.BpeTrainer(
        vocab_size=420, show_progress=False, special_tokens=["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]))
    # The trainer knows the bytes only as special tokens; in the files of these models they are plain ones.
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if token["content"] == "<unk>"]
    return finish(name, Tokenizer.from_str(json.dumps(data)), begin=True)


def unigram(name):
    """SentencePiece's Unigram, as T5 has it: white space is folded, and what is unknown becomes one token."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(CORPUS, trainers.UnigramTrainer(
        vocab_size=300, show_progress=False, unk_token="<unk>", special_tokens=["<unk>"]))
    return finish(name, tokenizer, begin=True)


def wordpiece(name):
    """BERT's: lower case, no accents, punctuation apart."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=300, show_progress=False, special_tokens=["[UNK]"]))
    return finish(name, tokenizer, begin=True)


def finish(name, tokenizer, begin):
    tokenizer.add_special_tokens(["<|begin|>", AddedToken("<|eot|>", rstrip=False)])
    tokenizer.add_tokens([AddedToken("<tool>", lstrip=True, rstrip=True, normalized=False)])
    if begin:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|begin|> $A", special_tokens=[("<|begin|>", tokenizer.token_to_id("<|begin|>"))])
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str() + "\n")
    cases = []
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=True).ids
        cases.append({
            "text": text,
            "ids": ids,
            "ids_without_special_tokens": tokenizer.encode(text, add_special_tokens=False).ids,
            "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            "decoded_without_special_tokens": tokenizer.decode(ids, skip_special_tokens=True),
        })
    return {"tokenizer": name, "cases": cases}


TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "It's the weather, in <city> & \"more\": größe",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "enum": ["Köln", "東京"]},
                                                    "days": {"type": "integer", "default": 3}}, "required": ["city"]}}}]
CALL = {"id": "call12345", "type": "function",
        "function": {"name": "get_weather", "arguments": {"city": "Köln", "days": 2, "exact": True, "t": 1.50}}}


def says(role, content, **more):
    return {"role": role, "content": content, **more}


CONVERSATIONS = {
    "one": [says("user", "Hello")],
    "system": [says("system", "  Be brief. "), says("user", "  Hi\n")],
    "turns": [says("system", "S"), says("user", "1 < 2 & 'x'"), says("assistant", " Yes. "), says("user", "Ünïcode 🦀?")],
    "thinking": [says("user", "q"), says("assistant", "<think>\nhm\n</think>\n\nA"), says("user", "again"),
                 says("assistant", "<think>\nso\n</think>\n\nB")],
    "two users": [says("user", "a"), says("user", "b")],
    "parts": [says("user", [{"type": "text", "text": " part "}, {"type": "image"}])],
    "no role": [{"content": "x"}],
    "reasoning": [says("user", "q"), says("assistant", "A", reasoning_content="so\n"), says("user", "r"),
                  says("assistant", "B", thinking="hm")],
    "tools": [says("user", "Weather?"), says("assistant", "", tool_calls=[CALL]),
              says("tool", "{\"t\": 20}", tool_call_id="call12345"), says("assistant", "Mild.")],
    "two calls": [says("user", "Weather?"), says("assistant", "Let me see", tool_calls=[CALL, CALL]),
                  says("tool", "a", tool_call_id="call12345"), says("tool", "b", tool_call_id="call12345")],
    "null content": [says("user", "q"), says("assistant", None, tool_calls=[CALL]),
                     says("tool", "x", tool_call_id="call12345", name="get_weather"), says("user", "t")],
    "bare call": [says("user", "q"), says("assistant", "", tool_calls=[{"name": "f", "arguments": "{\"a\": 1}"}]),
                  says("tool", [says("x", "y", type="text", text="r")], name="f"), says("user", "ok")],
    "empty": [],
}
WITH_TOOLS = ("tools", "two calls", "null content", "turns")


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


chat_templates.datetime = Clock
tokenizer = transformers.PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer(models.BPE()), bos_token="<|begin|>", eos_token="<|eot|>", unk_token="<unk>")


def render(template, messages, tools, add_generation_prompt=True):
    tokenizer.chat_template = template
    try:
        return {"text": tokenizer.apply_chat_template(
            messages, tools=tools, add_generation_prompt=add_generation_prompt, tokenize=False)}
    except Exception as error:  # whatever a template can raise
        return {"error": type(error).__name__, "message": str(error)}


def chat_vectors():
    templates = []
    for path in sorted((FOLDER / "templates").glob("*.jinja")):
        cases = []
        for name, messages in CONVERSATIONS.items():
            for tools in [None, TOOLS] if name in WITH_TOOLS else [None]:
                for add_generation_prompt in (True, False):
                    cases.append({"conversation": name, "tools": tools is not None,
                                  "add_generation_prompt": add_generation_prompt,
                                  **render(path.read_text(), messages, tools, add_generation_prompt)})
        templates.append({"template": path.name, "cases": cases})
    return {"now": NOW.isoformat(), "conversations": CONVERSATIONS, "tools": TOOLS, "templates": templates}


def snippet_vectors():
    messages, tools = template_snippets.MESSAGES, template_snippets.TOOLS
    snippets = [{"template": snippet, **render(snippet, messages, tools)} for snippet in template_snippets.snippets()]
    return {"now": NOW.isoformat(), "messages": messages, "tools": tools, "snippets": snippets}


def write(name, vectors):
    with open(FOLDER / name, "w") as out:
        json.dump(vectors, out, ensure_ascii=False, indent=1)
        out.write("\n")


if __name__ == "__main__":
    write("tokenizer_vectors.json", [
        byte_level_bpe("gpt2"),
        byte_level_bpe("llama3", LLAMA3_SPLIT, begin=True, ignore_merges=True),
        byte_level_bpe("qwen2", QWEN2_SPLIT, normalizers.NFC()),
        metaspace_bpe("llama2"),
        unigram("unigram"),
        wordpiece("wordpiece"),
    ])
    write("chat_vectors.json", chat_vectors())
    write("snippet_vectors.json", snippet_vectors())
