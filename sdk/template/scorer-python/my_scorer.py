"""Rewards a short answer that holds the record's "keyword". The file stays loaded for a whole job.

To use a virtual environment, name its bin/python: as [plugins] python in rftd.toml, as --python of rftctl scorer test.
"""
options = {"limit": 200}


def configure(given):
    """Called once, before anything else, with the job's [scorer] options."""
    unknown = set(given) - set(options)
    if unknown:
        raise ValueError(f"unknown options: {', '.join(sorted(unknown))}")
    options.update(given)


def score(episodes):
    """A number, or a dict, for each. (Or OpenAI's `def grade(sample, item) -> float`, and then test that.)"""
    return [score_one(episode["completion"], episode["record"]) for episode in episodes]


def score_one(completion, record):
    found = record["keyword"] in completion
    short = len(completion) <= options["limit"]
    return {
        "score": 0.8 * found + 0.2 * short,
        "reason": "keyword found" if found else "keyword missing",
        "sub_scores": {"found": found},
    }
