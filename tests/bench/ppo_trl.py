"""One side of ppo_vs_trl.py: TRL's PPOTrainer on the workload file given, one iteration for each line on
stdin, one line of JSON with its seconds on stdout."""

import json
import os
import sys
import time

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    TrainerCallback,
)
from trl.experimental.ppo import PPOConfig, PPOTrainer


class OneIterationPerLine(TrainerCallback):
    """Waits for a line before each iteration and reports its wall time after it."""

    def wait(self):
        if not sys.stdin.readline():
            os._exit(0)  # the trainer has no way to be told to stop
        self.start = time.perf_counter()

    def on_train_begin(self, args, state, control, **kwargs):
        print(json.dumps({"ready": True}), file=answers, flush=True)
        self.wait()

    def on_step_end(self, args, state, control, **kwargs):
        print(json.dumps({"seconds": time.perf_counter() - self.start}), file=answers, flush=True)
        self.wait()


def llama(kind, shape, **more):
    torch.manual_seed(0)
    config = LlamaConfig(**shape, tie_word_embeddings=True, bos_token_id=None, eos_token_id=None, pad_token_id=0, **more)
    return kind(config)


def word_tokenizer(vocab_size):
    words = {f"w{i}": i for i in range(vocab_size)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w1"))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="w0", eos_token="w2", padding_side="left")


def main():
    workload = json.load(open(sys.argv[1]))
    shape, episodes = workload["shape"], len(workload["prompts"])
    # The scorer's stand-in: the trainer insists on a reward model, so it gets one that costs nothing.
    tiny = dict(shape, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1)
    config = PPOConfig(
        output_dir=workload["scratch"], report_to="none", use_cpu=True, bf16=False, disable_tqdm=True,
        save_strategy="no", logging_steps=10**9, num_sample_generations=0, gradient_checkpointing=False,
        per_device_train_batch_size=episodes, gradient_accumulation_steps=1,
        num_mini_batches=workload["minibatches"], num_ppo_epochs=workload["num_ppo_epochs"],
        local_rollout_forward_batch_size=64, response_length=workload["max_new_tokens"],
        total_episodes=episodes * 1000, temperature=1.0, learning_rate=workload["learning_rate"],
        kl_coef=workload["kl_coef"], vf_coef=0.1, cliprange=0.2, cliprange_value=0.2, gamma=1.0, lam=0.95,
    )
    PPOTrainer(
        args=config,
        processing_class=word_tokenizer(shape["vocab_size"]),
        model=llama(LlamaForCausalLM, shape),
        ref_model=llama(LlamaForCausalLM, shape),
        value_model=llama(LlamaForSequenceClassification, shape, num_labels=1),
        reward_model=llama(LlamaForSequenceClassification, tiny, num_labels=1),
        train_dataset=Dataset.from_dict({"input_ids": workload["prompts"]}),
        callbacks=[OneIterationPerLine()],
    ).train()


# stdout carries the answers alone; what the libraries print goes to stderr.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
main()
