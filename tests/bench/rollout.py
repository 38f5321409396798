#!/usr/bin/env python3
"""Rollouts of rftd's engine and of a peer, side by side: a random Llama of the same shape, the same prompts' lengths,
sampling at temperature 1, end of sequence ignored, prefill included. Runs of the two sides alternate, and the best of
each counts, so that a busy machine slows both. llama.cpp's side (llama-batched-bench) samples nothing.

    tests/bench/rollout.py [--peer transformers|llama.cpp] [--shape 8m|135m] [--dtype float32|bfloat16] [--batch 64]

Needs the build (`rollout_bench`) and a Python with transformers and torch; builds llama.cpp at the first run
(make_llama_cpp)."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
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
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def make_model(shape, folder):
    torch.manual_seed(0)
    config = LlamaConfig(**SHAPES[shape], max_position_embeddings=2048, tie_word_embeddings=True,
                         bos_token_id=None, eos_token_id=None, pad_token_id=0)
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return model.eval()


def transformers_side(model, args, folder):
    model = model.to(getattr(torch, args.dtype))

    def seconds(new_tokens):
        prompts = torch.randint(0, model.config.vocab_size, (args.batch, args.prompt_tokens))
        start = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=True, temperature=1.0,
                                 top_k=0, top_p=1.0, min_new_tokens=new_tokens, max_new_tokens=new_tokens)
        assert out.shape == (args.batch, args.prompt_tokens + new_tokens)
        return time.perf_counter() - start

    seconds(8)
    return lambda: seconds(args.new_tokens)


def llama_cpp_side(model, args, folder):
    program = pathlib.Path(subprocess.run([HERE / "make_llama_cpp"], check=True, capture_output=True, text=True).stdout.strip())
    shape, file = pathlib.Path(folder, "shape.json"), pathlib.Path(folder, "model.gguf")
    shape.write_text(json.dumps(SHAPES[args.shape]))
    subprocess.run([sys.executable, HERE / "llama_cpp_model.py", shape, args.dtype,
                    program.parents[2] / "vendor/llama.cpp/gguf-py", file], check=True)
    threads, positions = len(os.sched_getaffinity(0)), args.batch * (args.prompt_tokens + args.new_tokens)
    command = [program, "-m", file, "-c", positions, "-b", 2048, "-ub", 512, "-npp", args.prompt_tokens,
               "-ntg", args.new_tokens, "-npl", args.batch, "-t", threads, "-tb", threads, "--output-format", "jsonl"]

    def seconds():
        lines = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
        return next(json.loads(line)["t"] for line in lines.splitlines() if line.startswith("{"))

    return seconds


PEERS = {"transformers": transformers_side, "llama.cpp": llama_cpp_side}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=PEERS, default="transformers")
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
        model = make_model(args.shape, folder)
        command = [args.build / "bin" / "rollout_bench", folder, args.dtype, args.batch, args.prompt_tokens,
                   args.new_tokens]
        with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as engine:

            def time_engine():
                engine.stdin.write("\n")
                engine.stdin.flush()
                return float(engine.stdout.readline())

            time_engine()  # packs the weights and warms up
            time_peer = PEERS[args.peer](model, args, folder)
            ours, theirs = [], []
            for _ in range(args.runs):
                ours.append(time_engine())
                theirs.append(time_peer())
            engine.stdin.close()
    tokens = args.batch * args.new_tokens
    if args.json:
        print(json.dumps({"ours": tokens / min(ours), "theirs": tokens / min(theirs)}))
        return
    print(f"{args.shape} {args.dtype} batch {args.batch}, {args.new_tokens} new tokens, {torch.get_num_threads()} threads")
    print(f"  rftd                     {tokens / min(ours):9.0f} tokens/s")
    print(f"  {args.peer:20}     {tokens / min(theirs):9.0f} tokens/s")
    print(f"  ratio                    {min(theirs) / min(ours):9.2f}")


if __name__ == "__main__":
    main()
