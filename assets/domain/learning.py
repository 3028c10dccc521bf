"""What a feature reward learns of pairs of summaries, what each feature is worth to it, and what more pairs teach."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assets.domain.rows import Opinions
from pipelines.opinions import summary_id
from pipelines.schema import FEATURE_NAMES, FULL_MARKS

KINDS = ("linear", "monotone_additive", "feed_forward")  # of PHIS, whose learning is shown
SIZES = (25, 50, 100, 200, 400, 800)
SIDES = ("chosen", "rejected")
DRAWS = 200  # of pairs, for intervals of weights


@dataclass(frozen=True, slots=True)
class Sides:
    """Pairs both of whose summaries have marks, and those marks: [N, 7] each, 0 to 5."""

    pairs: pl.DataFrame
    chosen: np.ndarray
    rejected: np.ndarray


def marks_of(texts: pl.DataFrame, features: pl.DataFrame) -> np.ndarray:
    """[N, 7] of texts (prompt, summary), 0 to 5; a row of NaN for one that `features` does not know."""
    ids = pl.Series("summary_id", list(map(summary_id, texts["prompt"], texts["summary"])), dtype=pl.String())
    joined = ids.to_frame().join(features, on="summary_id", how="left", maintain_order="left")
    return joined.select(pl.col(FEATURE_NAMES).fill_null(np.nan)).to_numpy()


def sides(pairs: pl.DataFrame, features: pl.DataFrame) -> Sides:
    """The pairs with the features of their sides beside them; a pair without is left out."""
    both = np.stack([marks_of(pairs.select("prompt", summary=side), features) for side in SIDES])
    known = ~np.isnan(both).any(axis=(0, 2))
    return Sides(pairs.filter(pl.Series(known, dtype=pl.Boolean)), both[0][known], both[1][known])


def fit(found: Sides, row: Opinions, scorer: str) -> Any:
    """The feature reward of the row's kind; TrainingError where it says the same of both sides of most pairs."""
    from rlhf_train.models import feature_rewards

    return feature_rewards.fit(
        row.phi, found.chosen, found.rejected, names=FEATURE_NAMES, full=FULL_MARKS, scorer=scorer, **row.fitting
    )


def weights(phi: Any, found: Sides, row: Opinions, *, seed: int = 0, draws: int = DRAWS) -> pl.DataFrame:
    """feature, value, low, high: what full marks add to the reward of none, in phi and in 95 % of fits to pairs drawn anew.

    Of a linear phi these are its weights; of any, they sum to the reward of full marks less that of none. In a draw whose phi
    is refused as constant, they are 0.
    """
    from rlhf_train.errors import TrainingError

    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        at = random.integers(len(found.pairs), size=len(found.pairs))
        again = dataclasses.replace(found, chosen=found.chosen[at], rejected=found.rejected[at])
        try:
            drawn.append(_worth(fit(again, row, phi.scorer)))
        except TrainingError:
            drawn.append(np.zeros(len(FEATURE_NAMES)))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return pl.DataFrame({"feature": FEATURE_NAMES, "value": _worth(phi), "low": low, "high": high})


def _worth(phi: Any) -> np.ndarray:
    full = np.full((1, len(FEATURE_NAMES)), FULL_MARKS)
    return phi.shares(full, np.zeros_like(full))[0]


def decision(phi: Any, found: Sides) -> pl.DataFrame:
    """A pair in which phi sees a clear difference: feature, both marks, what it adds to the gap, and in each row both texts."""
    gaps = phi.rewards(found.chosen) - phi.rewards(found.rejected)
    place = int(np.argsort(gaps, kind="stable")[3 * len(gaps) // 4])  # three quarters are less clear
    one = [side[place : place + 1] for side in (found.chosen, found.rejected)]
    columns = {"feature": FEATURE_NAMES, "chosen": one[0][0], "rejected": one[1][0], "adds": phi.shares(*one)[0]}
    texts = found.pairs.select(pl.col("prompt", "chosen", "rejected").name.suffix("_text")).row(place, named=True)
    return pl.DataFrame(columns).with_columns(pl.lit(text).alias(name) for name, text in texts.items())


def curves(found: Sides, *, repeats: int = 2, seed: int = 0) -> pl.DataFrame:
    """judge, pairs, accuracy, low, high: how often feature and text rewards are right by the pairs that they learn.

    Cross-validated over products. The text reward is linear in words and pairs of words, which takes a second. A phi that is
    refused as constant is right half the time.
    """
    from pipelines.attacks import proxy
    from rlhf_train.errors import TrainingError
    from rlhf_train.evals import data_efficiency
    from rlhf_train.models import feature_rewards

    words = proxy.features(found.pairs)

    def features(kind: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        def judge(learned: np.ndarray, told: np.ndarray) -> np.ndarray:
            sides = found.chosen[learned], found.rejected[learned]
            try:
                phi = feature_rewards.fit(kind, *sides, names=FEATURE_NAMES, full=FULL_MARKS)
            except TrainingError:
                return np.full(len(told), 0.5)
            return right(phi.rewards(found.chosen[told]) - phi.rewards(found.rejected[told]))

        return judge

    def text(learned: np.ndarray, told: np.ndarray) -> np.ndarray:
        return right(words[told] @ proxy.fit(words[learned]))

    judges = {kind: features(kind) for kind in KINDS} | {"text": text}
    sizes = [size for size in SIZES if size < len(found.pairs)] or [len(found.pairs)]
    groups = found.pairs["prompt"].to_list()
    return pl.DataFrame(
        [
            {"judge": name, **dataclasses.asdict(point)}
            for name, judge in judges.items()
            for point in data_efficiency.measure(judge, groups, sizes=sizes, repeats=repeats, seed=seed)
        ]
    )


def right(gaps: np.ndarray) -> np.ndarray:
    """1 above 0, 0 below, 1/2 for a tie."""
    return (np.sign(gaps) + 1) / 2
