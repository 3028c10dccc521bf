"""Who marks summaries: the rules of pipelines.features, a language model on a server, or whoever published them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import features, rubrics
from pipelines.opinions import summary_id
from pipelines.schema import FEATURES, REJECTS, DataError

Mark = Callable[..., "Marked"]  # (prompts, summaries, *, published, cache, settings)


@dataclass(frozen=True, slots=True)
class Marked:
    """FEATURES of each summary once, and REJECTS of those that got no marks."""

    features: pl.DataFrame
    rejects: pl.DataFrame


def offline(prompts: list[str], summaries: list[str], *, published: pl.DataFrame, cache: Path) -> Marked:
    """By rules, the same on every machine."""
    return Marked(features.score(prompts, summaries), REJECTS.empty())


def by_publisher(prompts: list[str], summaries: list[str], *, published: pl.DataFrame, cache: Path) -> Marked:
    """As they came with the summaries; DataError where one came without."""
    ids = pl.DataFrame({"summary_id": list(map(summary_id, prompts, summaries))}, schema={"summary_id": pl.String()})
    found = ids.join(published, on="summary_id", how="left", maintain_order="left")
    if lacking := found["scorer"].null_count():
        raise DataError(
            f"{lacking} of {len(found)} summaries have no published marks, as those that an attack writes; "
            "take offline or server as scorer, which mark any text, or an attack that writes none, as label_flip"
        )
    return Marked(found.select(list(FEATURES.columns)), REJECTS.empty())


def by_server(
    prompts: list[str],
    summaries: list[str],
    *,
    published: pl.DataFrame,
    cache: Path,
    base_url: str = "http://127.0.0.1:8000/v1",
    **settings: Any,
) -> Marked:
    """By a language model on an OpenAI-compatible server; each mark is kept in `cache` and asked for once."""
    found = rubrics.score(prompts, summaries, base_url=base_url, cache=cache, **settings)
    return Marked(found.features, found.rejects)


SCORERS: Mapping[str, Mark] = {"offline": offline, "published": by_publisher, "server": by_server}
SETTINGS: Mapping[str, tuple[Callable[..., Any], ...]] = {"offline": (), "published": (), "server": (by_server, rubrics.score)}


def mark(
    name: str, texts: pl.DataFrame, known: pl.DataFrame, *, published: pl.DataFrame, cache: Path, **settings: Any
) -> Marked:
    """Marks of `texts` (prompt, summary), each once, in their order; what is in `known` (FEATURES) is taken from there."""
    texts = texts.select("prompt", "summary").unique(maintain_order=True)
    ids = [summary_id(*each) for each in texts.iter_rows()]
    texts = texts.with_columns(summary_id=pl.Series(ids, dtype=pl.String))
    new = texts.join(known, on="summary_id", how="anti", maintain_order="left")
    found = Marked(known, REJECTS.empty())
    if len(new):
        more = SCORERS[name](new["prompt"].to_list(), new["summary"].to_list(), published=published, cache=cache, **settings)
        found = Marked(pl.concat([known, more.features]), more.rejects)
    marked = texts.select("summary_id").join(found.features, on="summary_id", maintain_order="left")
    return Marked(marked.select(list(FEATURES.columns)), found.rejects)
