"""What came of every run of a study, and what that advises."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from assets.hacking.rows import ARMS, CONTROL

ADVICE = {  # the cheapest mend first
    "stored_1": "draw more answers to each prompt",
    "fifth_of_the_prompts": "collect more prompts",
    "half_the_prompts": "collect more prompts",
}
NUMBERS = ("best", "golden_least", "golden_last", "rebound", "of_teacher", "of_data", "proxy_best", "proxy_last", "residual")
MORE = "mix in fresh answers, a tenth may do; at last draw all afresh"


def of(traces: pl.DataFrame) -> pl.DataFrame:
    """A row an arm and seed: rlhf_train.evals.teacher_hacking.Hacking, the control's residual beside its own, and advice."""
    rows = list(_rows(traces))
    ends = {row["seed"]: row["residual"] for row in rows if row["arm"] == CONTROL}
    for row in rows:
        row["to_control"] = _ratio(row["residual"], ends.get(row["seed"])) if row["arm"] != CONTROL else None
    return pl.DataFrame(rows, infer_schema_length=None)


def _rows(traces: pl.DataFrame) -> Iterator[dict[str, Any]]:
    from rlhf_train.evals import teacher_hacking

    for (arm, seed), trace in traces.group_by("arm", "seed", maintain_order=True):
        after = trace.filter(pl.col("step") > 0).sort("step")
        golden = None if after["golden"].null_count() else np.stack(after["golden_each"].to_list())
        found = teacher_hacking.measure(
            after["step"].to_numpy(), np.stack(after["proxy_each"].to_list()), golden, after["teacher"][0]
        )
        plain = {name: _plain(value) for name, value in dataclasses.asdict(found).items()}
        yield {"arm": arm, "seed": seed, **plain, "advice": advice(str(arm), found.verdict)}


def advice(arm: str, verdict: str) -> str:
    """What to do about it, the cheapest first; nothing where nothing is wrong."""
    if verdict in ("healthy", ""):
        return ""
    if verdict == "limited by the teacher":
        return "stop at the best step, or teach the teacher better: a perfect imitation is no nearer to the oracle"
    if ARMS[arm].get("fresh", 0.0) == 1.0:
        return "stop at the best step; answers are fresh already"
    return f"stop at the best step; {ADVICE.get(arm, 'collect more prompts')}; {MORE}"


def means(verdicts: pl.DataFrame) -> pl.DataFrame:
    """A row an arm, over its seeds: means, and how many of them were told what."""
    said = verdicts.group_by("arm", "verdict", maintain_order=True).len().sort("len", descending=True, maintain_order=True)
    told = said.group_by("arm", maintain_order=True).agg(verdicts=pl.format("{} {}", "verdict", "len").str.join(", "))
    found = verdicts.group_by("arm", maintain_order=True).agg(pl.col(*NUMBERS, "to_control").mean())
    return found.join(told, on="arm", how="left", maintain_order="left")


def _ratio(residual: float | None, control: float | None) -> float | None:
    """Of two residuals; none where the control keeps to its law."""
    return None if residual is None or control is None or control <= 0 else residual / control


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
