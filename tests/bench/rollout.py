#!/usr/bin/env python3
"""Rollouts of rftd's engine and of Hugging Face `generate`, side by side: the same random Llama, the same
prompts' lengths, sampling at temperature 1, end of sequence ignored, prefill included. Runs of the two sides
alternate, and the best of each counts, so that a busy machine slows both.

    tests/bench/rollout.py [--shape 8m|135m] [--dtype float32|bfloat16] [--batch 64] [--runs 3]

Needs the build (`rollout_bench`) and a Python with transformers and torch."""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

SHAPES = {
    "8m": dict(vocab_size=4096, hidden_size=256, intermediate_size=688, num_hidden_layers=8,
               num_attention_heads=8, num_key_value_heads=4),
    "135m": dict(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
                 num_attention_heads=9, num_key_value_heads=3),
}
ROOT = pathlib.Path(__file__).resolve().parents[2]


def make_model(shape, folder):
    torch.manual_seed(0)
    config = LlamaConfig(**SHAPES[shape], max_position_embeddings=2048, tie_word_embeddings=True,
                         bos_token_id=None, eos_token_id=None, pad_token_id=0)
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return model.eval()


def time_hugging_face(model, args):
    prompts = torch.randint(0, model.config.vocab_size, (args.batch, args.prompt_tokens))
    start = time.perf_counter()
    with torch.inference_mode():
        out = model.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=True, temperature=1.0,
                             top_k=0, top_p=1.0, min_new_tokens=args.new_tokens, max_new_tokens=args.new_tokens)
    seconds = time.perf_counter() - start
    assert out.shape == (args.batch, args.prompt_tokens + args.new_tokens)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="8m")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one line of JSON instead")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        model = make_model(args.shape, folder).to(getattr(torch, args.dtype))
        command = [args.build / "bin" / "rollout_bench", folder, args.dtype, args.batch, args.prompt_tokens,
                   args.new_tokens]
        with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as engine:

            def time_engine():
                engine.stdin.write("\n")
                engine.stdin.flush()
                return float(engine.stdout.readline())

            time_engine()  # packs the weights and warms both sides up
            time_hugging_face(model, argparse.Namespace(**{**vars(args), "new_tokens": 8}))
            ours, theirs = [], []
            for _ in range(args.runs):
                ours.append(time_engine())
                theirs.append(time_hugging_face(model, args))
            engine.stdin.close()
    tokens = args.batch * args.new_tokens
    if args.json:
        print(json.dumps({"ours": tokens / min(ours), "theirs": tokens / min(theirs)}))
        return
    print(f"{args.shape} {args.dtype} batch {args.batch}, {args.new_tokens} new tokens, {torch.get_num_threads()} threads")
    print(f"  rftd                     {tokens / min(ours):9.0f} tokens/s")
    print(f"  Hugging Face generate    {tokens / min(theirs):9.0f} tokens/s")
    print(f"  ratio                    {min(theirs) / min(ours):9.2f}")


if __name__ == "__main__":
    main()
