#!/usr/bin/env python3
"""Real jobs on tiny random models of every family, through a real daemon: every weight and LoRA, every estimator,
one rank and two. Each ends with metrics that a right update has and with a model that `transformers` loads.

    every_family_test.py BIN_DIR TOKENIZER_DIR some|all

`some`: each family, with and without LoRA, and among them each estimator with each number of ranks, with and without
LoRA. `all`: every combination."""
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

BIN, TOKENIZER, EXTENT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
PATIENCE_S = "120"

SHAPE = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             head_dim=16, max_position_embeddings=256, bos_token_id=None, eos_token_id=0, pad_token_id=None)
# A window is shorter than a prompt.
FAMILIES = {
    "Llama": dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=False),
    "Llama tied": dict(hidden_size=48, num_attention_heads=3, num_key_value_heads=1, tie_word_embeddings=True),
    "Mistral": dict(sliding_window=5),
    "Qwen2": dict(hidden_size=64),
    "Qwen3": {},
    "SmolLM3": dict(no_rope_layer_interval=2),
    "Granite": dict(embedding_multiplier=3.0, attention_multiplier=0.1, residual_multiplier=0.4, logits_scaling=2.5),
    "Olmo2": dict(hidden_size=64),
    "Phi3": dict(hidden_size=64, partial_rotary_factor=0.75),
    "Gemma2": dict(sliding_window=5, attn_logit_softcapping=4.0, final_logit_softcapping=3.0),
    "Gemma3Text": dict(sliding_window=5),
    "GPT2": dict(n_embd=32, n_layer=2, n_head=4, n_inner=48, n_positions=256),
}
ESTIMATORS = ["gae", "grpo", "dr_grpo", "rloo", "reinforce++", "reinforce++_baseline"]
WAYS = list(itertools.product(ESTIMATORS, [1, 2]))

JOB_TOML = """
[model]
path = "{model}"
dtype = "float32"
{lora}
[data]
train = "train.jsonl"
[scorer]
plugin = "scorer.py"
[validation]
metric = "validations"
[training]
epochs = 1
learning_rate = 1e-3
[ppo]
advantage_estimator = "{estimator}"
num_ppo_epochs = 2
minibatches = 2
[rollout]
prompts_per_iteration = 4
samples_per_prompt = 4
max_new_tokens = 6
[resources]
cores = {ranks}
ranks = {ranks}
"""

# Completions of random weights seldom score alike, and every validation is better than the one before: what is
# exported is what was trained last.
SCORER = """
validations = 0

def score(episodes):
    return [len(e["completion"]) + 0.1 * len(set(e["completion"])) for e in episodes]

def summarize(episodes):
    global validations
    validations += 1
    return {"validations": validations}
"""

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def jobs():
    for number, family in enumerate(FAMILIES):
        for lora in (False, True):
            ways = WAYS if EXTENT == "all" else [WAYS[(number + 5 * lora) % len(WAYS)]]
            for estimator, ranks in ways:
                yield family, lora, estimator, ranks


def make_model(family, folder):
    torch.manual_seed(0)
    vocabulary = len(json.loads((TOKENIZER / "tokenizer.json").read_text())["model"]["vocab"])
    config = json.loads((TOKENIZER / "config.json").read_text())
    assert vocabulary <= config["vocab_size"]
    switches = {} if family == "GPT2" else dict(SHAPE)
    switches.update(FAMILIES[family], vocab_size=config["vocab_size"], bos_token_id=None, eos_token_id=0)
    model = AutoModelForCausalLM.from_config(getattr(transformers, family.split()[0] + "Config")(**switches))
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, folder)


def weights_of(folder):
    return {name: weight for file in folder.glob("model*.safetensors") for name, weight in load_file(file).items()}


class EveryFamily(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="rft-test-")
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.home = cls.folder / "home"
        (cls.home / "models").mkdir(parents=True)
        cls.home.chmod(0o700)
        for family in FAMILIES:
            make_model(family, cls.home / "models" / family)
        ready, told = os.pipe()
        with open(cls.folder / "rftd.log", "w") as log:
            cls.daemon = subprocess.Popen([BIN / "rftd", "--home", cls.home, "--ready-fd", str(told)], stderr=log,
                                          pass_fds=[told])
        os.close(told)
        with open(ready) as answer:
            if answer.readline() != "\n":
                raise RuntimeError((cls.folder / "rftd.log").read_text())
        cls.addClassCleanup(cls.stop)
        cls.submitted = [(what, cls.submit(*what)) for what in jobs()]

    @classmethod
    def stop(cls):
        cls.daemon.terminate()
        cls.daemon.wait(20)
        cls.temporary.cleanup()

    @classmethod
    def rftctl(cls, *arguments):
        done = subprocess.run([BIN / "rftctl", *arguments, "--json", "--home", cls.home], capture_output=True, text=True,
                              timeout=300)
        if done.returncode not in (0, 1):  # 1: the job has failed
            raise RuntimeError(done.stdout + done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    @classmethod
    def submit(cls, family, lora, estimator, ranks):
        folder = cls.folder / "job"
        folder.mkdir(exist_ok=True)
        text = JOB_TOML.format(model=family, lora="lora = { rank = 2 }" if lora else "", estimator=estimator,
                               ranks=ranks)
        (folder / "job.toml").write_text(text)
        (folder / "scorer.py").write_text(SCORER)
        rows = [{"input": f"say the word {word}"} for word in ["ba", "bb", "bc", "ca", "cb", "cc", "da", "db"]]
        (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return cls.rftctl("submit", str(folder))["id"]

    def test_each_job_trains_and_leaves_a_model(self):
        for (family, lora, estimator, ranks), number in self.submitted:
            with self.subTest(family=family, lora=lora, estimator=estimator, ranks=ranks):
                job = self.rftctl("wait", str(number), "--timeout", PATIENCE_S)
                self.assertEqual(job["state"], "succeeded", job)
                folder = pathlib.Path(job["folder"])
                self.check_metrics(folder, estimator)
                self.check_model(folder, family, lora)

    def check_metrics(self, folder, estimator):
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        updates = [row for row in rows if "policy/steps" in row]
        self.assertEqual(len(updates), 2)
        self.assertLess(abs(updates[0]["objective/kl_to_reference"]), 1e-5)
        for update in updates:
            self.assertEqual(update["policy/steps"], 4, "2 epochs of 2 minibatches")
            self.assertGreater(update["policy/grad_norm"], 0)
            self.assertLess(update["policy/first_ratio_deviation"], 1e-5)
            self.assertLess(abs(update["policy/first_approx_kl"]), 1e-5)
            self.assertEqual(update["policy/skipped_steps"], 0)
            self.assertLess(update["policy/rollout_gap"], 5e-3)
            self.assertEqual("loss/value" in update, estimator == "gae")

    def check_model(self, folder, family, lora):
        base, trained = weights_of(self.home / "models" / family), weights_of(folder / "model")
        self.assertEqual(set(trained), set(base))
        changed = {name for name in base if not torch.equal(base[name], trained[name])}
        embeddings = {name for name in base if "embed_tokens" in name or "wte" in name}
        if lora:
            self.assertFalse(changed & embeddings)
            self.assertTrue(changed)
            self.assertTrue((folder / "adapter/adapter_model.safetensors").exists())
        else:
            self.assertFalse({name for name in base if name.endswith("weight")} - changed - embeddings)
        model, loading = AutoModelForCausalLM.from_pretrained(folder / "model", output_loading_info=True)
        self.assertFalse(loading["missing_keys"])
        with torch.no_grad():
            self.assertTrue(model(torch.tensor([[10, 11, 12]])).logits.isfinite().all())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
