"""Published questions with planted faults: labels turned round, and questions about something else in the place of some."""

from dataclasses import dataclass

import numpy as np
import polars as pl

LABEL_NOISE, OFF_TOPIC = 0.15, 0.10


@dataclass(frozen=True, slots=True)
class Corrupted:
    """Questions; which of them bear the wrong label, and which are about something else: [N] bool each, of no question both."""

    questions: pl.DataFrame
    is_wrong: np.ndarray
    is_off: np.ndarray

    @property
    def is_sound(self) -> np.ndarray:
        """[N] bool, rightly labelled and about the behaviour."""
        return ~(self.is_wrong | self.is_off)


def corrupted(questions: pl.DataFrame, strange: pl.DataFrame, *, seed: int) -> Corrupted:
    """A share LABEL_NOISE of each behaviour's labels turned to another option, OFF_TOPIC replaced by `strange` questions.

    What replaces a question bears the label that it had elsewhere or the other one, by the toss of a coin.
    """
    draw = np.random.default_rng([seed, 1])
    wrong, off = np.zeros(len(questions), dtype=bool), np.zeros(len(questions), dtype=bool)
    for places in questions.with_row_index("at").group_by("behaviour", maintain_order=True).agg("at")["at"]:
        order = draw.permutation(places.to_numpy())
        first, last = round(LABEL_NOISE * len(order)), round((LABEL_NOISE + OFF_TOPIC) * len(order))
        wrong[order[:first]], off[order[first:last]] = True, True
    drawn = strange[draw.choice(len(strange), size=int(off.sum()), replace=False)]
    parts = questions.with_row_index("at")
    swapped = parts.filter(pl.Series(off)).with_columns(
        **{name: drawn[name] for name in ("question", "options", "matching", "statement")}
    )
    whole = pl.concat([parts.filter(~pl.Series(off)), swapped]).sort("at").drop("at")
    turned = pl.Series(wrong | (off & (draw.random(len(questions)) < 0.5)))
    other = pl.col("options").list.set_difference("matching").list.slice(0, 1)
    whole = whole.with_columns(
        matching=pl.when(turned).then(other).otherwise("matching"), row=pl.int_range(pl.len()).cast(pl.Int64)
    )
    return Corrupted(whole.with_columns(question_id=pl.col("row").cast(pl.String)), wrong, off)
