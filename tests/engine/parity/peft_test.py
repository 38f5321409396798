#!/usr/bin/env python3
"""LoRA against the real `peft`: an adapter that peft made gives the same logits, continuation and gradients
here, and one that was trained here gives the same logits there.

    peft_test.py RFT_WORKER LORA_PROBE"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, GPT2Config, GraniteConfig, LlamaConfig,
                          MistralConfig, Olmo2Config, Phi3Config, Qwen2Config, Qwen3Config, SmolLM3Config)

WORKER, PROBE = sys.argv.pop(1), sys.argv.pop(1)
VOCABULARY = 97
TOKENS = dict(vocab_size=VOCABULARY, bos_token_id=None, eos_token_id=5, pad_token_id=None)
SHAPE = dict(TOKENS, intermediate_size=88, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=256)
LLAMA = LlamaConfig(**SHAPE, hidden_size=48, head_dim=16, tie_word_embeddings=True)


def save_base(config, folder):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(1 if weight.dim() == 1 else 0, 0.25)
    model.save_pretrained(folder)


def load_base(folder):
    # Not sdpa, which cannot soft-cap scores.
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def save_adapter(base, folder, seed=1, dtype=torch.float32, **options):
    """An adapter of peft's whose B is not zero."""
    torch.manual_seed(seed)
    model = get_peft_model(load_base(base), LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **options))
    model.to(dtype).save_pretrained(folder)


def ids_of(seed, length):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(6, VOCABULARY, (length,), generator=generator).tolist()


def ask_engine(verb, base, adapter, question):
    done = subprocess.run([WORKER, "inspect", verb, base, "--adapter", adapter], input=json.dumps(question),
                          capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def logits_of(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0]


def episodes():
    scores = [0.0, 1.0, 0.25, 0.5, 0.75, 0.0]
    return [dict(prompt=i // 3, prompt_ids=ids_of(10 + i // 3, 4), completion_ids=ids_of(20 + i, 3 + i), score=score)
            for i, score in enumerate(scores)]


def rloo_loss(model):
    """The loss of the first minibatch: the mean over all tokens of -A·r, r = 1."""
    total, num_tokens = 0, 0
    for group in (episodes()[:3], episodes()[3:]):
        for episode in group:
            others = [e["score"] for e in group if e is not episode]
            advantage = episode["score"] - sum(others) / len(others)
            prompt, completion = episode["prompt_ids"], episode["completion_ids"]
            logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1:-1]
            log_probs = logits.log_softmax(-1).gather(-1, torch.tensor(completion)[:, None])[:, 0]
            total = total - advantage * torch.exp(log_probs - log_probs.detach()).sum()
            num_tokens += len(completion)
    return total / num_tokens


class Peft(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.place("one")

    def place(self, name):
        self.folder = self.root / name
        self.base = self.folder / "base"

    def assert_same_logits(self, actual, expected):
        self.assertLess((torch.tensor(actual) - expected).abs().max(), 1e-4 * expected.std())

    def check(self, config=LLAMA, dtype=torch.float32, mend=None, **options):
        made, out = self.folder / "made", self.folder / "out"
        save_base(config, self.base)
        if mend:
            mend(self.base / "model.safetensors")
        save_adapter(self.base, made, dtype=dtype, **options)
        model = PeftModel.from_pretrained(load_base(self.base), made, is_trainable=True)
        ids = ids_of(3, 40)
        expected = logits_of(model, ids)
        self.assertGreater((expected - logits_of(load_base(self.base), ids)).abs().max(), 0.1 * expected.std())

        # Theirs, here.
        answer = ask_engine("logits", self.base, made, {"ids": ids, "positions": list(range(40))})
        self.assert_same_logits(answer["logits"], expected)
        prompt = torch.tensor([ids])
        greedy = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                                max_new_tokens=24)[0, 40:].tolist()
        self.assertEqual(ask_engine("generate", self.base, made, {"ids": ids, "max_new_tokens": 24})["ids"], greedy)

        # The gradient of a minibatch.
        done = subprocess.run([PROBE, self.base, made, out], input=json.dumps({"episodes": episodes()}),
                              capture_output=True, text=True, check=True, timeout=120)
        gradients = json.loads(done.stdout)
        rloo_loss(model).backward()
        wanted = {name.replace(".default", ""): weight.grad for name, weight in model.named_parameters()
                  if weight.requires_grad}
        self.assertEqual(set(gradients), set(wanted))
        for name, gradient in wanted.items():
            gap = (torch.tensor(gradients[name]).view_as(gradient) - gradient).norm()
            self.assertLess(gap, 1e-4 * gradient.norm(), name)

        # Ours after a step, there; and merged.
        ours = PeftModel.from_pretrained(load_base(self.base), out / "adapter")
        stepped = logits_of(ours, ids)
        self.assertGreater((stepped - expected).abs().max(), 1e-2 * expected.std())
        answer = ask_engine("logits", self.base, out / "adapter", {"ids": ids, "positions": list(range(40))})
        self.assert_same_logits(answer["logits"], stepped)
        self.assert_same_logits(logits_of(load_base(out / "merged"), ids).tolist(), stepped)

    def test_the_usual_targets(self):
        self.check(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"])

    def test_all_linear_rank_stabilised(self):
        self.check(r=4, lora_alpha=6, use_rslora=True, target_modules="all-linear")

    def test_a_pattern_on_one_layer_stored_in_bfloat16(self):
        self.check(dtype=torch.bfloat16, r=4, lora_alpha=8, target_modules=r".*layers\.1\.mlp\.(up|down)_proj")

    def test_fused_matrices(self):
        self.check(Phi3Config(**SHAPE, hidden_size=64), r=4, lora_alpha=4,
                   target_modules=["qkv_proj", "o_proj", "gate_up_proj"])

    def test_the_other_families(self):
        shape, heads = dict(SHAPE, hidden_size=64), dict(head_dim=16)
        for config in (MistralConfig(**shape), Qwen2Config(**shape), SmolLM3Config(**shape), GraniteConfig(**shape),
                       Olmo2Config(**shape), Qwen3Config(**shape, **heads), Gemma2Config(**shape, **heads),
                       Gemma3TextConfig(**shape, **heads)):
            with self.subTest(config.model_type):
                self.place(config.model_type)
                self.check(config, r=4, lora_alpha=8, target_modules="all-linear")

    def test_transposed_matrices_under_shortened_names(self):
        def shorten(file):
            save_file({name.removeprefix("transformer."): weight for name, weight in load_file(file).items()}, file,
                      {"format": "pt"})

        self.check(GPT2Config(**TOKENS, n_embd=48, n_layer=2, n_head=4, n_positions=256), mend=shorten, r=4, lora_alpha=8,
                   target_modules=["c_attn", "c_fc"])


if __name__ == "__main__":
    unittest.main()
