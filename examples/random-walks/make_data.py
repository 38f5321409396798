#!/usr/bin/env python3
"""Makes this example's data: the random-walks benchmark of trlx (github.com/CarperAI/trlx), drawn the same way.

    python3 make_data.py            needs numpy; writes *.jsonl beside this file and prints the graph's edges,
                                    which stand in job.toml for the scorer

A directed graph of 21 nodes, a to u, in which each edge is there with probability 0.1; a walk starts anywhere but
at a, follows edges at random and ends at a or after 10 nodes.
"""

import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent
SEED = 1000
NUM_NODES, EDGE_PROBABILITY, NUM_WALKS, MAX_NODES = 21, 0.1, 1000, 10
GOAL = 0
# Sampling is part of the benchmark: each start is walked so often that the mean stands still.
TRAIN_COPIES, VALID_COPIES = 10, 25


def draw_graph(rng):
    """The adjacency matrix; every node leads somewhere, the goal only to itself."""
    while True:
        edges = rng.rand(NUM_NODES, NUM_NODES) > (1 - EDGE_PROBABILITY)
        np.fill_diagonal(edges, 0)
        if np.all(edges.sum(1)):
            edges[GOAL, :] = 0
            edges[GOAL, GOAL] = 1
            return edges


def draw_walk(rng, edges):
    node = rng.randint(1, NUM_NODES)
    walk = [node]
    while node != GOAL and len(walk) < MAX_NODES:
        node = rng.choice(np.nonzero(edges[node])[0])
        walk.append(node)
    return "".join(map(letter, walk))


def letter(node):
    return chr(ord("a") + node)


def write(file, records):
    with open(FOLDER / file, "w") as out:
        for record in records:
            out.write(json.dumps(record) + "\n")


def main():
    rng = np.random.RandomState(SEED)
    edges = draw_graph(rng)
    walks = [draw_walk(rng, edges) for _ in range(NUM_WALKS)]
    starts = [{"input": start} for start in sorted({walk[0] for walk in walks})]
    write("warmup.jsonl", [{"input": walk[0], "output": walk[1:]} for walk in walks])
    write("train.jsonl", starts * TRAIN_COPIES)
    write("valid.jsonl", starts * VALID_COPIES)
    print(" ".join(letter(node) + "".join(letter(next_node) for next_node in np.nonzero(edges[node])[0])
                   for node in range(NUM_NODES)))


main()
