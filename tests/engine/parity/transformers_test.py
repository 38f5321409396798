#!/usr/bin/env python3
"""The engine against the real `transformers`: tiny random models of every family whose switches are away from
their defaults, sequences longer than every window and original context, the same logits, the same greedy
continuations with the same log-probabilities, and an export that `transformers` loads to the same tokens.

    transformers_test.py ENGINE_PROBE"""
import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

PROBE = sys.argv.pop(1)
NEW_TOKENS = 24
# The third outgrows every window and original context of 64 while it is continued, the last from the start.
LENGTHS = [1, 9, 50, 150]
SHAPE = dict(vocab_size=97, hidden_size=48, intermediate_size=88, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=256, bos_token_id=None, eos_token_id=5, pad_token_id=None)
GPT2_SHAPE = dict(vocab_size=97, n_embd=48, n_layer=3, n_head=4, n_positions=256, n_inner=100, bos_token_id=None,
                  eos_token_id=5)
LLAMA3 = dict(rope_type="llama3", rope_theta=5000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()


def random_model(family, seed=0, **switches):
    """A model of FAMILYForCausalLM whose every weight matters."""
    torch.manual_seed(seed)
    shape = GPT2_SHAPE if family == "GPT2" else SHAPE
    config = getattr(transformers, family + "Config")(**{**shape, **switches})
    class_name = {"GPT2": "GPT2LMHeadModel", "Gemma3": "Gemma3ForConditionalGeneration",
                  "Gemma3Text": "Gemma3ForCausalLM"}.get(family, family + "ForCausalLM")
    model = getattr(transformers, class_name)(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(0, 0.25)
            if ("norm" in name or ".ln_" in name) and not name.endswith("bias") and "Gemma" not in family:
                weight.add_(1)
    return model


def load(folder):
    # Not sdpa, which cannot soft-cap scores.
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def greedy(model, ids):
    """The continuation, its log-probabilities, and how far the second best token was behind at the closest."""
    prompt = torch.tensor([ids])
    model = copy.deepcopy(model)  # dynamic RoPE remembers longer sequences
    out = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=NEW_TOKENS,
                         return_dict_in_generate=True, output_logits=True)
    tokens = out.sequences[0, len(ids):]
    logits = torch.cat(out.logits)  # (T, V)
    best = logits.topk(2).values
    log_probs = logits.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    return tokens.tolist(), log_probs, ((best[:, 0] - best[:, 1]) / logits.std()).min().item()


def sequences_without_ties(model):
    """A sequence of each length whose greedy continuation rounding cannot change."""
    chosen = []
    for length in LENGTHS:
        for seed in range(50):
            torch.manual_seed(seed)
            ids = torch.randint(6, SHAPE["vocab_size"], (length,)).tolist()
            tokens, log_probs, margin = greedy(model, ids)
            if margin > 2e-3:
                chosen.append((ids, tokens, log_probs))
                break
        else:
            raise AssertionError(f"every sequence of {length} has a near tie")
    return chosen


def older_spelling(config):
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    if rope.get("rope_type", "default") != "default":
        rope["type"] = rope.pop("rope_type")
        config["rope_scaling"] = rope
    config["torch_dtype"] = config.pop("dtype")
    config["eos_token_id"] = [5, 11]


class Transformers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.probe = subprocess.Popen([PROBE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @classmethod
    def tearDownClass(cls):
        cls.probe.stdin.close()
        cls.probe.wait(60)
        cls.probe.stdout.close()

    def ask(self, folder, **question):
        self.probe.stdin.write(json.dumps({"model": str(folder), "new_tokens": NEW_TOKENS, **question}) + "\n")
        self.probe.stdin.flush()
        answer = json.loads(self.probe.stdout.readline())
        self.assertNotIn("error", answer)
        return answer

    def check(self, model, dtype=torch.float32, mend=None, mend_weights=None, packed_step=False, **save):
        with tempfile.TemporaryDirectory() as folder:
            base, export = pathlib.Path(folder, "base"), pathlib.Path(folder, "export")
            model.to(dtype).save_pretrained(base, **save)
            if mend:
                config = json.loads((base / "config.json").read_text())
                mend(config)
                (base / "config.json").write_text(json.dumps(config))
                (base / "generation_config.json").unlink(missing_ok=True)
            if mend_weights:
                weights = mend_weights(load_file(base / "model.safetensors"))
                save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
            model = load(base)
            chosen = sequences_without_ties(model)
            sequences = [ids for ids, _, _ in chosen]
            answer = self.ask(base, sequences=sequences, export=str(export))
            self.assertEqual(answer["packed_step"], packed_step)
            self.compare_logits(model, sequences, answer, torch.Tensor.max, 1e-4)
            self.compare_greedy(chosen, answer)
            if packed_step:
                self.compare_greedy(chosen, self.ask(base, sequences=sequences, reference_step=True))
            bfloat16 = self.ask(base, sequences=sequences, compute="bfloat16")
            self.compare_logits(model, sequences, bfloat16, torch.Tensor.mean, 3e-2)
            self.check_export(base, export, dtype, chosen)

    def compare_logits(self, model, sequences, answer, size, tolerance):
        for ids, logits in zip(sequences, answer["logits"]):
            with torch.no_grad():
                expected = copy.deepcopy(model)(torch.tensor([ids])).logits[0]
            gap = size((torch.tensor(logits) - expected).abs())
            self.assertLess(gap, tolerance * expected.std(), f"length {len(ids)}")

    def compare_greedy(self, chosen, answer):
        for (ids, tokens, log_probs), ours, our_log_probs in zip(chosen, answer["greedy"], answer["log_probs"]):
            self.assertEqual(ours, tokens, f"after {len(ids)}")
            self.assertLess((torch.tensor(our_log_probs) - log_probs).abs().max(), 1e-4, f"after {len(ids)}")

    def check_export(self, base, export, dtype, chosen):
        exported = load(export)
        for ids, tokens, _ in chosen:
            self.assertEqual(greedy(exported, ids)[0], tokens)
        self.assertEqual((export / "config.json").read_bytes(), (base / "config.json").read_bytes())
        stored, was = {}, {}
        for folder, weights in [(export, stored), (base, was)]:
            for file in folder.glob("*.safetensors"):
                weights.update(load_file(file))
        ignored = [name for name in was if name.endswith((".attn.bias", ".attn.masked_bias"))]
        self.assertEqual(sorted(stored), sorted(set(was) - set(ignored)))
        for name, weight in stored.items():
            self.assertEqual(weight.dtype, dtype)
            self.assertTrue(torch.equal(weight, was[name]), name)

    # Llama

    def test_llama_every_switch_away_from_its_default(self):
        self.check(random_model("Llama", num_attention_heads=6, head_dim=16, attention_bias=True, mlp_bias=True,
                                rms_norm_eps=1e-3, rope_parameters=LLAMA3), packed_step=True)

    def test_llama_tied_embeddings_bfloat16_in_shards(self):
        self.check(random_model("Llama", 1, num_key_value_heads=4, tie_word_embeddings=True,
                                rope_parameters=dict(rope_type="linear", factor=3.0, rope_theta=10000.0)),
                   torch.bfloat16, max_shard_size="40KB")

    def test_llama_older_spelling_of_the_configuration(self):
        self.check(random_model("Llama", 2, num_attention_heads=3, num_key_value_heads=1,
                                rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=20000.0)),
                   torch.float16, older_spelling, packed_step=True)

    def test_llama_heads_that_are_no_whole_vectors(self):
        self.check(random_model("Llama", 3, head_dim=12))

    def test_llama_dynamic(self):
        rope = dict(rope_type="dynamic", factor=4.0, rope_theta=10000.0)
        self.check(random_model("Llama", 4, head_dim=16, max_position_embeddings=64, rope_parameters=rope),
                   packed_step=True)

    def test_llama_yarn(self):
        rope = dict(rope_type="yarn", factor=4.0, rope_theta=10000.0, original_max_position_embeddings=64)
        self.check(random_model("Llama", 5, head_dim=16, rope_parameters=rope), packed_step=True)
        rope.update(beta_fast=16.0, beta_slow=2.0, mscale=1.5, mscale_all_dim=0.7, truncate=False)
        self.check(random_model("Llama", 5, head_dim=32, rope_parameters=rope), packed_step=True)

    # The families that differ from it in their layers

    def test_mistral_with_a_window(self):
        self.check(random_model("Mistral", 6, head_dim=16, sliding_window=20), packed_step=True)

    def test_mistral_without_a_window(self):
        self.check(random_model("Mistral", 7, head_dim=16, sliding_window=None), torch.bfloat16, older_spelling,
                   packed_step=True)

    def test_qwen2_whose_later_layers_slide(self):
        self.check(random_model("Qwen2", 8, hidden_size=64, use_sliding_window=True, sliding_window=20,
                                max_window_layers=1), packed_step=True)

    def test_qwen2_tied_in_older_spelling(self):
        self.check(random_model("Qwen2", 9, hidden_size=64, tie_word_embeddings=True, sliding_window=20), torch.float16,
                   older_spelling, packed_step=True)

    def test_qwen3_with_layer_types(self):
        self.check(random_model("Qwen3", 10, head_dim=16, attention_bias=True, use_sliding_window=True,
                                sliding_window=20,
                                layer_types=["sliding_attention", "full_attention", "sliding_attention"]),
                   packed_step=True)

    def test_smollm3_with_layers_that_do_not_rotate(self):
        self.check(random_model("SmolLM3", 11, hidden_size=64, num_hidden_layers=4, no_rope_layer_interval=2,
                                attention_bias=True, mlp_bias=True, tie_word_embeddings=False,
                                use_sliding_window=True, sliding_window=20), packed_step=True)

    def test_granite_with_all_multipliers(self):
        self.check(random_model("Granite", 12, attention_bias=True, mlp_bias=True, embedding_multiplier=3.0,
                                attention_multiplier=0.1, residual_multiplier=0.4, logits_scaling=2.5))

    def test_olmo2(self):
        self.check(random_model("Olmo2", 13, attention_bias=True, rms_norm_eps=1e-3))

    def test_phi3_with_a_part_of_its_heads_rotated(self):
        self.check(random_model("Phi3", 14, hidden_size=64, sliding_window=20,
                                rope_parameters=dict(rope_type="default", rope_theta=9000.0,
                                                     partial_rotary_factor=0.75)), packed_step=True)

    def test_phi3_longrope(self):
        rope = dict(rope_type="longrope", rope_theta=9000.0, partial_rotary_factor=0.5,
                    short_factor=[1.0, 1.1, 1.3, 1.7], long_factor=[1.5, 2.5, 4.0, 9.0])

        def mend(config):
            older_spelling(config)
            config["partial_rotary_factor"] = config["rope_scaling"].pop("partial_rotary_factor")

        model = random_model("Phi3", 15, hidden_size=64, original_max_position_embeddings=64, rope_parameters=rope)
        self.check(copy.deepcopy(model), packed_step=True)
        self.check(model, mend=mend, packed_step=True)

    def test_gemma2(self):
        self.check(random_model("Gemma2", 16, head_dim=16, sliding_window=20, query_pre_attn_scalar=30,
                                attn_logit_softcapping=4.0, final_logit_softcapping=3.0, rms_norm_eps=1e-3))

    def test_gemma2_without_caps(self):
        self.check(random_model("Gemma2", 17, head_dim=16, attention_bias=True, attn_logit_softcapping=None,
                                final_logit_softcapping=None), torch.bfloat16)

    def test_gemma3_text(self):
        rope = dict(full_attention=dict(rope_type="linear", factor=4.0, rope_theta=50000.0),
                    sliding_attention=dict(rope_type="default", rope_theta=700.0))
        self.check(random_model("Gemma3Text", 18, head_dim=16, sliding_window=20, query_pre_attn_scalar=30,
                                final_logit_softcapping=3.0, rope_parameters=rope,
                                layer_types=["full_attention", "sliding_attention", "full_attention"]))

    def test_gemma3_text_in_older_spelling(self):
        def mend(config):
            rope = config.pop("rope_parameters")
            config.update(rope_theta=rope["full_attention"]["rope_theta"], sliding_window_pattern=2,
                          rope_local_base_freq=rope["sliding_attention"]["rope_theta"],
                          rope_scaling=dict(rope_type="linear", factor=4.0))
            del config["layer_types"]

        self.check(random_model("Gemma3Text", 19, head_dim=16, sliding_window=20), mend=mend)

    def test_gemma3_beside_a_vision_tower(self):
        vision = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=8,
                      patch_size=4)
        text = dict(SHAPE, head_dim=16, sliding_window=20, vocab_size=97)
        self.check(random_model("Gemma3", 20, text_config=text, vision_config=vision, mm_tokens_per_image=4,
                                image_token_index=96, boi_token_index=95, eoi_token_index=94))

    # GPT-2

    def test_gpt2_every_switch_away_from_its_default(self):
        self.check(random_model("GPT2", 21, scale_attn_by_inverse_layer_idx=True,
                                tie_word_embeddings=False, layer_norm_epsilon=1e-3, activation_function="gelu"))

    def test_gpt2_as_it_was_first_stored(self):
        def without_prefix(weights):
            weights = {name.removeprefix("transformer."): weight for name, weight in weights.items()}
            for layer in range(3):
                weights[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 256, 256).tril().bool()
                weights[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
            return weights

        self.check(random_model("GPT2", 22), torch.float16, mend_weights=without_prefix)


if __name__ == "__main__":
    unittest.main()
