#!/usr/bin/env python3
"""All benchmarks of this folder in one table, beside what this machine can do at most; scripts/bench runs it. Each
row is appended to history.jsonl beside the build, and a figure that is a tenth below the best of this machine is
marked."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "release"
HISTORY = BUILD.parent / "bench-history.jsonl"


def run(*command):
    """What a benchmark prints; what it and its peers say on stderr is shown only if it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stderr}{done.args[0]} ended with {done.returncode}")
    return done.stdout


def rollout(shape, dtype, batch, new_tokens, peer="transformers"):
    answer = json.loads(run(sys.executable, HERE / "rollout.py", "--shape", shape, "--dtype", dtype, "--batch", batch,
                            "--new-tokens", new_tokens, "--peer", peer, "--json"))
    return dict(row=f"rollout {shape} {dtype} batch {batch}", figure=answer["ours"], unit="tokens/s",
                ratio=answer["ours"] / answer["theirs"], peer=f"{peer}, {dtype}")


def iteration(algorithm, dtype, peak, alone):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "figures.json")
        run(sys.executable, HERE / "iteration_vs_trl.py", algorithm, "--dtype", dtype, "--json", file, "--rounds", 3,
            *["--alone"] * alone)
        answer = json.loads(file.read_text())
    name, rate = f"{algorithm.upper()} %s 8m {dtype}", answer["tflop"] * 1000 / answer["ours_update"]
    yield dict(row=name % "update", figure=rate, unit="GFLOP/s", share=rate / peak)
    yield dict(row=name % "iteration", figure=1 / answer["ours"], unit="iterations/s",
               ratio=None if alone else answer["theirs"] / answer["ours"], peer=answer["peer"])


def plugin_host():
    with tempfile.TemporaryDirectory() as folder:
        answer = json.loads(run(BUILD / "bin" / "plugin_host_bench", folder))
    for kind, us in answer.items():
        yield dict(row=f"plugin host {kind}", figure=1e6 / us, unit="batches/s",
                   peer=f"{us:.0f} µs beyond the scorer's work")


def rows(quick):
    yield from plugin_host()
    peak = json.loads(run(BUILD / "bin" / "gemm_bench"))
    for dtype, rate in peak.items():
        if rate:
            yield dict(row=f"matrix product {dtype}", figure=rate, unit="GFLOP/s", peer="the machine's limit")
    yield rollout("8m", "float32", 64, 128)
    if peak["bfloat16"]:
        yield rollout("8m", "bfloat16", 64, 128)
    if not quick:
        fastest = "bfloat16" if peak["bfloat16"] else "float32"
        yield rollout("8m", "float32", 64, 128, "llama.cpp")
        yield rollout("135m", fastest, 32, 48)
        yield rollout("135m", fastest, 32, 48, "llama.cpp")
    for algorithm in "ppo", "grpo":
        yield from iteration(algorithm, "float32", peak["float32"], alone=quick)
        if peak["bfloat16"]:
            yield from iteration(algorithm, "bfloat16", peak["bfloat16"], alone=True)


def best_so_far():
    best = {}
    for line in HISTORY.read_text().splitlines() if HISTORY.exists() else []:
        row = json.loads(line)
        best[row["row"]] = max(row["figure"], best.get(row["row"], 0))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without TRL and the large model")
    args = parser.parse_args()
    best = best_so_far()
    print(f"{'':34}{'figure':>12} {'':14}{'share of limit':>15}{'ratio':>8}")
    with HISTORY.open("a") as history:
        for row in rows(args.quick):
            share = f"{row['share']:.0%}" if row.get("share") else ""
            ratio = f"{row['ratio']:.2f}" if row.get("ratio") else ""
            mark = "   below the best of before" if row["figure"] < 0.9 * best.get(row["row"], 0) else ""
            print(f"{row['row']:34}{row['figure']:12.4g} {row['unit']:14}{share:>15}{ratio:>8}  {row.get('peer', '')}{mark}",
                  flush=True)
            history.write(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S"), **row}) + "\n")
    print(f"history: {HISTORY}")


if __name__ == "__main__":
    main()
