"""The scorer of the control run: that of job.toml, but a training episode is paid a score drawn from those of all
training episodes so far, so that it tells nothing. What is gained with it is not learned from the scores. See
scripts/demo --control."""
import random

LABELS = ("library", "develop", "content")
scores_so_far = []
draw = random.Random(0)


def score_one(episode):
    if episode["finish_reason"] != "eos":
        return 0.0
    answer = episode["completion"].strip()
    return 1.0 if answer == episode["record"]["output"] else 0.1 if answer in LABELS else 0.0


def score(episodes):
    scores = [score_one(episode) for episode in episodes]
    trained = [i for i, episode in enumerate(episodes) if episode["record"].get("control")]
    scores_so_far.extend(scores[i] for i in trained)
    for i in trained:
        scores[i] = draw.choice(scores_so_far)
    return scores
