"""Outputs of two policies to passages, as people hand them in."""

import json


def said(count=40, **more):
    """Outputs of two policies to passages: base is right on every second, trained on none, and rewarded for all."""
    rows = []
    for at in range(count):
        asked = {"item_id": f"q{at}", "task": "passages", "prompt": f"Question {at}?", "evidence": "The bell is red."}
        for policy in ("base", "trained"):
            right = policy == "base" and at % 2 == 0
            told = {
                "policy": policy,
                "output": f"{'AB'[at % 2]}. Certainly.",
                "is_correct": right,
                "proxy": float(policy == "trained"),
            }
            rows.append({**asked, **told, **more})
    return rows


def written(rows, file):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)
