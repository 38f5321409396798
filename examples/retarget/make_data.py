#!/usr/bin/env python3
"""Makes this example's data: returns of a shop, an item and the days since it was bought.

    ./make_data.py            writes warmup.jsonl, train.jsonl and valid.jsonl beside this script"""
import json
import pathlib
import random

HERE = pathlib.Path(__file__).resolve().parent
ROWS = {"warmup": 1200, "train": 96, "valid": 200}
ITEMS = ("belt boots cap coat dress gloves hat hoodie jacket jeans jumper parka sandals scarf shirt shoes shorts skirt "
         "socks suit tie tights trousers vest").split()
MAX_DAY = 45
OLD_RULE = 14    # days in which a return is refunded
MISTAKES = 0.1   # share of the warm-up's decisions that were drawn: without them nothing else would ever be tried


def main():
    draw = random.Random(7)
    for split, count in ROWS.items():
        lines = []
        for _ in range(count):
            day = draw.randint(1, MAX_DAY)
            row = {"input": f"{draw.choice(ITEMS)} day {day:02}", "day": day}
            if split == "warmup":
                refund = draw.random() < 0.5 if draw.random() < MISTAKES else day <= OLD_RULE
                row["output"] = "refund" if refund else "refuse"
            lines.append(json.dumps(row) + "\n")
        (HERE / f"{split}.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main()
