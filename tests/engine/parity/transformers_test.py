#!/usr/bin/env python3
"""The engine against the real `transformers`: tiny random models whose switches are away from their defaults,
the same logits, the same greedy continuation, and an export that `transformers` loads to the same tokens.

    transformers_test.py ENGINE_PROBE"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

PROBE = sys.argv.pop(1)
SHAPE = dict(vocab_size=97, hidden_size=48, intermediate_size=88, num_hidden_layers=3, max_position_embeddings=256,
             bos_token_id=None, eos_token_id=5, pad_token_id=None)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)


def random_model(seed=0, **switches):
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**SHAPE, **switches)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(0, 0.25)
            if "norm" in name:
                weight.add_(1)
    return model


def ask_engine(folder, export, ids, new_tokens):
    line = json.dumps({"ids": ids, "new_tokens": new_tokens})
    done = subprocess.run([PROBE, folder, export], input=line, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def greedy(model, ids, new_tokens):
    prompt = torch.tensor([ids])
    out = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=new_tokens)
    return out[0, len(ids):].tolist()


class Transformers(unittest.TestCase):
    def check(self, model, dtype=torch.float32, mend=None, **save):
        with tempfile.TemporaryDirectory() as folder:
            base, export = pathlib.Path(folder, "base"), pathlib.Path(folder, "export")
            model.to(dtype).save_pretrained(base, **save)
            if mend:
                config = json.loads((base / "config.json").read_text())
                mend(config)
                (base / "config.json").write_text(json.dumps(config))
            model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
            for seed, length in enumerate([1, 9, 150]):
                torch.manual_seed(seed)
                ids = torch.randint(6, SHAPE["vocab_size"], (length,)).tolist()
                with torch.no_grad():
                    expected = model(torch.tensor([ids])).logits[0]
                export_to = export / str(seed)
                export.mkdir(exist_ok=True)
                answer = ask_engine(base, export_to, ids, 24)
                gap = (torch.tensor(answer["logits"]) - expected).abs().max()
                self.assertLess(gap, 1e-4 * expected.std())
                self.assertEqual(answer["greedy"], greedy(model, ids, 24))
            exported = AutoModelForCausalLM.from_pretrained(export_to, dtype=torch.float32).eval()
            self.assertEqual(greedy(exported, ids, 24), answer["greedy"])
            stored = json.loads((export_to / "config.json").read_text())
            self.assertEqual(stored.get("dtype", stored.get("torch_dtype")), str(dtype).removeprefix("torch."))
            self.assertEqual(AutoModelForCausalLM.from_pretrained(export_to, dtype="auto").dtype, dtype)

    def test_every_switch_away_from_its_default(self):
        self.check(random_model(num_attention_heads=6, num_key_value_heads=2, head_dim=16, attention_bias=True,
                                mlp_bias=True, rms_norm_eps=1e-3, rope_parameters=dict(LLAMA3, rope_theta=5000.0)))

    def test_tied_embeddings_bfloat16_in_shards(self):
        self.check(random_model(1, num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=True,
                                rope_parameters=dict(rope_type="linear", factor=3.0, rope_theta=10000.0)),
                   torch.bfloat16, max_shard_size="40KB")

    def test_older_spelling_of_the_configuration(self):
        def mend(config):
            rope = config.pop("rope_parameters")
            config["rope_theta"] = rope.pop("rope_theta")
            rope["type"] = rope.pop("rope_type")
            config["rope_scaling"] = rope
            config["torch_dtype"] = config.pop("dtype")
            config["eos_token_id"] = [5, 11]

        self.check(random_model(2, num_attention_heads=3, num_key_value_heads=1,
                                rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=20000.0)),
                   torch.float16, mend)

    def test_heads_that_are_no_whole_vectors(self):
        self.check(random_model(3, num_attention_heads=4, num_key_value_heads=2, head_dim=12))


if __name__ == "__main__":
    unittest.main()
