"""TRL 1.12's PPOTrainer, the last release that has one, on the workload file given."""

import os

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
from trl_side import OneIterationPerLine, llama, read_workload, word_tokenizer  # first: it takes stdout

from datasets import Dataset
from transformers import LlamaForCausalLM, LlamaForSequenceClassification
from trl.experimental.ppo import PPOConfig, PPOTrainer

workload = read_workload()
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
