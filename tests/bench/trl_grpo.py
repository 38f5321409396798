"""TRL's GRPOTrainer on the workload file given."""

import os

from trl_side import OneIterationPerLine, llama, read_workload, word_tokenizer  # first: it takes stdout

from datasets import Dataset
from transformers import LlamaForCausalLM
from trl import GRPOConfig, GRPOTrainer


def share_of_even_tokens(completion_ids, **_):
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]


workload = read_workload()
samples, new_tokens = workload["samples_per_prompt"], workload["max_new_tokens"]
prompts = [" ".join(f"w{token}" for token in prompt) for prompt in workload["prompts"]]
# A folder, since the trainer reads its reference from where the policy came from.
folder = os.path.join(workload["scratch"], "policy")
llama(LlamaForCausalLM, workload["shape"]).save_pretrained(folder)
config = GRPOConfig(
    output_dir=workload["scratch"], report_to="none", use_cpu=True, bf16=False, disable_tqdm=True,
    save_strategy="no", logging_steps=10**9, gradient_checkpointing=False,
    per_device_train_batch_size=len(prompts) * samples, gradient_accumulation_steps=1, num_generations=samples,
    num_iterations=workload["num_ppo_epochs"], max_steps=1000, max_completion_length=new_tokens,
    generation_kwargs={"min_new_tokens": new_tokens}, temperature=1.0, top_p=1.0, top_k=0,
    learning_rate=workload["learning_rate"], beta=workload["kl_coef"], epsilon=0.2, loss_type="grpo",
)
GRPOTrainer(
    model=folder,
    args=config,
    reward_funcs=share_of_even_tokens,
    processing_class=word_tokenizer(workload["shape"]["vocab_size"]),
    train_dataset=Dataset.from_dict({"prompt": prompts}),
    callbacks=[OneIterationPerLine()],
).train()
