#!/usr/bin/env python3
"""One iteration (rollout, scores, update) of rftd's engine and of TRL's trainer, side by side: the same random Llama
of 8 million weights, the same prompts of about 23 tokens, 128 completions of 64 tokens with the end of sequence ignored,
the reference's log-probs, float32, the same number of threads.

    tests/bench/iteration_vs_trl.py ppo     128 prompts, value estimates, 4 epochs of 4 minibatches; TRL 1.12's
                                            PPOTrainer, the last there was
    tests/bench/iteration_vs_trl.py grpo    32 prompts of 4 samples, one update; TRL 1.16's GRPOTrainer

Both sides stay up and take turns, an iteration each, so that a busy machine slows both; the first round warms up
and is not counted. The ratio of the best iterations is the figure; the median of the rounds' ratios stands beside
it. Needs the build (target `iteration_bench`); makes the peer's Python environment at the first run (make_env)."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SHAPE_8M = dict(vocab_size=4096, hidden_size=256, intermediate_size=688, num_hidden_layers=8, num_attention_heads=8,
                num_key_value_heads=4, max_position_embeddings=512)


ALGORITHMS = {
    "ppo": dict(advantage_estimator="gae", samples_per_prompt=1, num_ppo_epochs=4, minibatches=4, release="1.12",
                peer="PPOTrainer", note="TRL's value model is a second model of the same shape, trained beside the policy; "
                "rftd's is a head on the policy's trunk.\nTRL's reward model here is a toy of one layer, rftd's scorer a "
                "count of even tokens: neither is what is measured."),
    "grpo": dict(advantage_estimator="grpo", samples_per_prompt=4, num_ppo_epochs=1, minibatches=1, release="1.16",
                 peer="GRPOTrainer", note="Both score by the share of even tokens."),
}


def make_workload(scratch, algorithm, episodes):
    noise = 1
    def draw(below):
        nonlocal noise
        noise = (noise * 6364136223846793005 + 1442695040888963407) % 2**64
        return (noise >> 33) % below
    prompts = [[3 + draw(SHAPE_8M["vocab_size"] - 3) for _ in range(16 + draw(15))]
               for _ in range(episodes // ALGORITHMS[algorithm]["samples_per_prompt"])]
    return dict(shape=SHAPE_8M, prompts=prompts, max_new_tokens=64, kl_coef=0.05, learning_rate=3e-6, scratch=scratch,
                **ALGORITHMS[algorithm])


def training_tflop(workload):
    """What an update computes: two passes without gradients (policy, reference) and num_ppo_epochs with, the head at
    completion tokens alone; attention itself not counted."""
    shape, new = workload["shape"], workload["max_new_tokens"]
    hidden, kv_share = shape["hidden_size"], shape["num_key_value_heads"] / shape["num_attention_heads"]
    layer = hidden * hidden * (2 + 2 * kv_share) + 3 * hidden * shape["intermediate_size"]
    samples, prompts = workload["samples_per_prompt"], workload["prompts"]
    tokens = samples * sum(len(prompt) + new for prompt in prompts)
    forward = 2 * (layer * shape["num_hidden_layers"] * tokens + hidden * shape["vocab_size"] * new * samples * len(prompts))
    return forward * (2 + 3 * workload["num_ppo_epochs"]) / 1e12


class Side:
    """A process that runs one iteration for each line it is sent."""

    def __init__(self, command, threads, **more):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1",
                           **more)
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args[0]} ended with {self.process.wait()}")
        return json.loads(line)

    def iterate(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("algorithm", choices=ALGORITHMS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=128, help="a multiple of 4; fewer for a quick look")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="of rftd's side")
    parser.add_argument("--alone", action="store_true", help="rftd's side without the peer")
    parser.add_argument("--peer-as-on-amd", action="store_true", help="on an Intel CPU: the peer's MKL takes its AVX2 path, "
                        "as it does for PyTorch on any AMD CPU, so that a figure taken there can be told from one taken here")
    parser.add_argument("--json", type=pathlib.Path, help="also write the figures of the best rounds here")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build" / "release")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        workload = make_workload(scratch, args.algorithm, args.episodes)
        file = pathlib.Path(scratch, "workload.json")
        file.write_text(json.dumps(workload))
        tokens = args.episodes * workload["max_new_tokens"]
        release = workload["release"]
        ours = Side([args.build / "bin" / "iteration_bench", file, args.dtype], args.threads)
        peer = None
        if not args.alone:
            python = subprocess.run([HERE / "make_env", release], check=True, capture_output=True, text=True).stdout.strip()
            mkl = dict(MKL_ENABLE_INSTRUCTIONS="AVX2") if args.peer_as_on_amd else {}
            peer = Side([python, HERE / f"trl_{args.algorithm}.py", file], args.threads, **mkl)

        print("round   rftd s  (rollout  update)    TRL s   ratio")
        rounds, updates = [], []
        for number in range(args.rounds + 1):
            mine = ours.iterate()
            theirs = peer.iterate()["seconds"] if peer else float("nan")
            note = "" if number else "   warm-up, not counted"
            print(f"{number:5}  {mine['seconds']:7.2f}  ({mine['rollout_s']:7.2f} {mine['update_s']:7.2f})"
                  f"  {theirs:7.2f}  {theirs / mine['seconds']:6.2f}{note}", flush=True)
            if number:
                rounds.append((mine["seconds"], theirs))
                updates.append(mine["update_s"])
        ours.end()
        best = min(mine for mine, _ in rounds)
        if args.json:
            args.json.write_text(json.dumps({"ours": best, "ours_update": min(updates), "theirs": min(t for _, t in rounds),
                                             "tflop": training_tflop(workload),
                                             "peer": f"TRL {release} {workload['peer']}, float32"}))
        print(f"\nrftd ({args.dtype}): best {best:.2f} s, {tokens / best:.0f} completion tokens/s")
        if peer:
            peer.end()
            peers_best = min(theirs for _, theirs in rounds)
            print(f"TRL {release} {workload['peer']} (float32): best {peers_best:.2f} s, {tokens / peers_best:.0f} completion tokens/s")
            print(f"ratio of the best: {peers_best / best:.2f}; median of the rounds: "
                  f"{statistics.median(theirs / mine for mine, theirs in rounds):.2f}")
            print(workload["note"])


if __name__ == "__main__":
    main()
