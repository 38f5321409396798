#!/usr/bin/env python3
"""Prints what a finished package-triage job gained, from the files that the daemon left in its folder.

    ./report.py HOME/jobs/17-package-triage"""
import collections
import json
import pathlib
import sys

STAGES = {"base": "random weights", "warmup": "after the warm-up (old policy)", "final": "exported model"}
PARTIAL_CREDIT = 0.1  # of job.toml: a valid but wrong class
NUM_SAMPLES = 8


def main():
    job = pathlib.Path(sys.argv[1])
    tested = collections.defaultdict(list)
    for line in (job / "validation.jsonl").open():
        record = json.loads(line)
        if record["split"] == "test":
            tested[record["stage"]].append(record)

    def accuracy(records):
        return sum(r["completion"].strip() == r["record"]["output"] for r in records) / len(records)

    def score(records):
        return sum(r["score"] for r in records) / len(records)

    final = tested["final"]
    commonest, count = collections.Counter(r["record"]["output"] for r in final).most_common(1)[0]
    always = count / len(final)
    print(f"{len(final)} test names        score   accuracy")
    for stage, meaning in STAGES.items():
        print(f"  {meaning:<32} {score(tested[stage]):.3f}   {accuracy(tested[stage]):.3f}")
    always_score = always + PARTIAL_CREDIT * (1 - always)
    print(f"  {'always ' + repr(commonest):<32} {always_score:.3f}   {always:.3f}   (a yardstick)")
    gain = score(final) - score(tested["warmup"])
    print(f"  gain over the warm-up            {gain:+.3f}")

    print("\n  name                                wanted    before    after")
    before = {r["prompt"]: r["completion"] for r in tested["warmup"]}
    half = NUM_SAMPLES // 2
    changed = [r for r in final[half:] if before[r["prompt"]] != r["completion"]]
    for record in final[:half] + changed[:half]:
        name, wanted = record["record"]["input"], record["record"]["output"]
        print(f"  {name:<35} {wanted:<9} {before[record['prompt']]:<9} {record['completion']}")


if __name__ == "__main__":
    main()
