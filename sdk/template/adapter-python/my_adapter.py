"""Makes a prompt of the record's "question", and of its "answer" what a warm-up learns.

It runs once, when a job is admitted. To use a virtual environment, name its bin/python as [plugins] python in rftd.toml.
"""
options = {"instruction": "Answer in one word."}


def configure(given):
    """Called once, before anything else, with the job's [data] options (and [data] prompt as "prompt")."""
    unknown = set(given) - set(options)
    if unknown:
        raise ValueError(f"unknown options: {', '.join(sorted(unknown))}")
    options.update(given)


def adapt(record):
    """A dict for the record, a list of them for several prompts, or None to leave it out. An exception refuses it."""
    if not record["question"].strip():
        return None
    return {
        "prompt": f"{options['instruction']}\n{record['question']}\n",  # or a list of messages
        "output": record.get("answer"),
    }
