"""The scorer of the control run: that of job.toml, but the scores of training episodes are shuffled among them, so
that they tell nothing. What is gained with it is not learned from the scores. See scripts/demo --control."""
import random

LABELS = ("library", "develop", "content")


def score_one(episode):
    if episode["finish_reason"] != "eos":
        return 0.0
    answer = episode["completion"].strip()
    return 1.0 if answer == episode["record"]["output"] else 0.1 if answer in LABELS else 0.0


def score(episodes):
    scores = [score_one(episode) for episode in episodes]
    trained = [i for i, episode in enumerate(episodes) if episode["record"].get("shuffle")]
    shuffled = [scores[i] for i in trained]
    random.Random(len(episodes)).shuffle(shuffled)
    for i, value in zip(trained, shuffled):
        scores[i] = value
    return scores
