#!/usr/bin/env python3
"""Makes this example's data from Debian's own package index: names and sections, nothing else.

    ./make_data.py            writes warmup.jsonl, train.jsonl, valid.jsonl and test.jsonl beside this script

Reads the index that `apt-get update` keeps on any Debian 12 machine. The draw has a fixed seed; another state of
the index gives other rows of the same kind."""
import json
import pathlib
import random
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
LISTS = pathlib.Path("/var/lib/apt/lists")
SEED = 20
ROWS = {"warmup": 1700, "train": 64, "valid": 300, "test": 1000}
CLASSES = ("library", "develop", "content")
REROUTED = 0.05  # share of the warm-up's labels that are drawn anew: tickets that went the wrong way

# Drawn by kind, so that no single answer does well: "develop" for everything scores 0.55 under the new policy.
SHARES = {"language": 0.48, "libdevel": 0.07, "libs": 0.25, "content": 0.20}

LANGUAGES = ("python perl ruby haskell rust golang javascript java gnu-r php ocaml").split()
OLD_POLICY = {"libs": "library", "introspection": "library", "libdevel": "develop",
              "doc": "content", "fonts": "content", "localization": "content",
              **{language: "library" for language in LANGUAGES}}
# The only change: what belongs to a programming language goes to the people who develop.
NEW_POLICY = {**OLD_POLICY, **{language: "develop" for language in LANGUAGES}}


def kind(section):
    if section in LANGUAGES:
        return "language"
    return {"introspection": "libs", "libs": "libs", "libdevel": "libdevel"}.get(section, "content")


def packages():
    """(name, section) of the packages of the main index whose section the policies know, by name."""
    index = next(LISTS.glob("*_dists_bookworm_main_binary-amd64_Packages*"), None)
    if index is None:
        raise SystemExit("no package index here; run: apt-get update")
    text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", str(index)], check=True, capture_output=True,
                          text=True).stdout
    found = {}
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        name, section = fields.get("Package"), fields.get("Section", "").split("/")[-1]
        # Rust's feature packages (librust-a+b-dev) would put near-copies of a name into different splits.
        if name and "+" not in name and section in OLD_POLICY:
            found[name] = section
    return sorted(found.items())


def write(split, rows):
    text = "".join(json.dumps({"input": name, "output": label}) + "\n" for name, label in rows)
    (HERE / f"{split}.jsonl").write_text(text)


def take_evenly(rows, count):
    """Takes `count` of the rows, which are ordered by section, at even distances: each section has its share."""
    places = [int((i + 0.5) * len(rows) / count) for i in range(count)]
    taken = [rows[place] for place in places]
    for place in reversed(places):
        del rows[place]
    return taken


def draw_splits(draw):
    """{split: rows}, disjoint, each with the kinds in their shares and in an order of its own."""
    splits = {split: [] for split in ROWS}
    by_kind = {name: [] for name in SHARES}
    for name, section in packages():
        by_kind[kind(section)].append((name, section))
    for name, rows in by_kind.items():
        draw.shuffle(rows)
        rows.sort(key=lambda row: row[1])
        for split, size in ROWS.items():
            splits[split] += take_evenly(rows, round(size * SHARES[name]))
    for rows in splits.values():
        draw.shuffle(rows)
    return splits


def main():
    draw = random.Random(SEED)
    splits = draw_splits(draw)

    def old_label(section):
        return draw.choice(CLASSES) if draw.random() < REROUTED else OLD_POLICY[section]

    write("warmup", [(name, old_label(section)) for name, section in splits["warmup"]])
    for split in ("train", "valid", "test"):
        write(split, [(name, NEW_POLICY[section]) for name, section in splits[split]])


if __name__ == "__main__":
    main()
