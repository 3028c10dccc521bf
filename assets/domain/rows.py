"""What makes an experiment one of opinions: whose reviews, who writes and marks summaries of them, whose preference counts."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assets.domain.scorers import SCORERS, SETTINGS
from pipelines.schema import DataError
from pipelines.settings import checked, refuse_negative
from pipelines.summaries import WRITERS

GENERATED = "generated_reviews"  # the source that needs no file
UNWRITTEN = "none"  # the writer of summaries that come with the reviews, in tiers
PREFERENCES = ("tiers", "scores", "human")
WRITING: Mapping[str, tuple[Callable[..., Any], ...]] = {**{name: (each,) for name, each in WRITERS.items()}, UNWRITTEN: ()}
SECRET = ("api_key",)  # comes from the environment: a row stands in tables and manifests


@dataclass(frozen=True, slots=True)
class Opinions:
    """Settings of a corpus of summaries; see pipelines.summaries, pipelines.features and pipelines.rubrics for what they do.

    `products` at most are taken; their summaries, `each` of a tier, are written in `groups` parts, or come with the reviews.
    `preferences` are people's (of the source's own pairs), or of the better tier or mean score; of those a product gives
    `most` pairs, and a share `contrary` is turned round, for people disagree as well. `writing` and `scoring` are settings of
    the writer and of the scorer, `fitting` of the feature reward of kind `phi`.
    """

    products: int = 160
    groups: int = 2
    each: int = 3
    writer: str = "rules"
    writing: Mapping[str, Any] = field(default_factory=dict)
    scorer: str = "offline"
    scoring: Mapping[str, Any] = field(default_factory=dict)
    preferences: str = "tiers"
    most: int = 6
    contrary: float = 0.0
    phi: str = "linear"
    fitting: Mapping[str, Any] = field(default_factory=dict)


def opinions_of(table: object, source: str) -> Opinions:
    """Opinions of a table of settings; DataError naming what is wrong with it."""
    if not isinstance(table, dict):
        raise DataError(f"opinions is a table of settings, got {table!r}; for the defaults write opinions = {{}}")
    row = Opinions(**checked(table, Opinions, about="opinions"))
    choices = {"writer": (*WRITERS, UNWRITTEN), "scorer": SCORERS, "preferences": PREFERENCES}
    for name, there in choices.items():
        if getattr(row, name) not in there:
            raise DataError(f"{name} must be one of {', '.join(there)}, got {getattr(row, name)!r}")
    refuse_negative(dataclasses.asdict(row), may_be_zero=["contrary"])
    if row.contrary >= 0.5:
        raise DataError(f"contrary is a share of labels and must lie in [0, 0.5), got {row.contrary:g}; 15 percent is 0.15")
    checked(row.writing, *WRITING[row.writer], about=f"the writer {row.writer}", besides=SECRET)
    checked(row.scoring, *SETTINGS[row.scorer], about=f"the scorer {row.scorer}", besides=(*SECRET, "cache"))
    if (row.phi, row.fitting) != (Opinions().phi, {}):
        _check_phi(row)
    if source == GENERATED and row.preferences == "human":
        raise DataError("generated reviews have no human preferences; name a file of them as source, or take tiers or scores")
    if row.scorer == "published" and row.preferences != "human" and row.writer != UNWRITTEN:
        raise DataError("published scores are of summaries that come with the source; take human preferences or no writer")
    return row


def _check_phi(row: Opinions) -> None:
    from rlhf_train.phis import PHIS  # torch comes with it

    if row.phi not in PHIS:
        raise DataError(f"phi must be one of {', '.join(PHIS)}, got {row.phi!r}")
    checked(row.fitting, PHIS[row.phi].fit, about=f"the {row.phi} phi", besides=("seed",))
