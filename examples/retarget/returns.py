"""Whether a return is decided by the shop's rule: refunded up to a day, refused after it."""

rule = {"days": 14}


def configure(options):
    rule.update(options)


def grade(sample, item):
    right = "refund" if item["day"] <= rule["days"] else "refuse"
    return {"score": 1.0 if sample["output_text"] == right else 0.0, "reason": f"{rule['days']} days: {right}"}
