"""The seven domain features of summaries, marked by a language model on any OpenAI-compatible server.

What reviews and summaries say is untrusted. A control tells whether a scorer obeys it: a summary of something else, which gets
a high mark for relevance only by an order in the reviews or from a scorer that can't judge.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from pipelines import chat
from pipelines.opinions import summary_id
from pipelines.rubrics import asking, wording
from pipelines.rubrics.memory import Memory
from pipelines.schema import FEATURE_NAMES, FEATURES, FULL_MARKS, REJECTS, DataError

log = logging.getLogger(__name__)

JUDGED, HIGHEST = "relevance", FULL_MARKS / 2  # of a control

Pair = tuple[str, str]
Ask = Callable[[Sequence[Pair], Sequence[str]], list[asking.Row]]


@dataclass(frozen=True, slots=True)
class Scored:
    """FEATURES and REJECTS, each summary once, in the order of the input; and how many marks were asked for.

    `cached` marks were known before; `asked_again` counts the further replies that it took until one held a mark.
    """

    features: pl.DataFrame
    rejects: pl.DataFrame
    asked: int
    cached: int
    asked_again: int


def score(
    prompts: Sequence[str],
    summaries: Sequence[str],
    *,
    base_url: str,
    model: str = "",
    api_key: str | None = None,
    cache: Path | None = None,
    controls: bool = False,
    max_tokens: int = 400,
    timeout: float = 60.0,
    retries: int = 3,
    concurrency: int = 4,
) -> Scored:
    """Seven marks from 0 to 5 for each summary of its prompt; a summary that lacks one is rejected, with the cause.

    Raises DataError where the server is away, stays in trouble or speaks another protocol, and where no summary is left; what
    was marked until then is in `cache`.

    Args:
        model: left out of requests when empty; marks are then known by the server's address, so name it where it may change.
        api_key: taken from OPENAI_API_KEY when None.
        cache: folder in which marks are kept by model, rubric and texts, so that none is asked for twice.
        controls: whether a product's summaries are rejected where a summary of something else gets a high mark.
        max_tokens: what a reply may have; more for models that reason at length.
        timeout: seconds a request may take.
        retries: further tries, each for a failed request and, with another seed, for a reply without a mark.
        concurrency: summaries that are asked about at once.
    """
    if len(prompts) != len(summaries):
        raise DataError(f"each summary needs its prompt, got {len(prompts)} prompts and {len(summaries)} summaries")
    if retries < 0 or concurrency < 1:
        raise DataError(f"retries must be 0 or more and concurrency 1 or more, got {retries} and {concurrency}")
    name = model or chat.bare(base_url).rstrip("/")
    numbers = {"max_tokens": max_tokens} | ({"model": model} if model else {})
    pairs = list(dict.fromkeys(zip(prompts, summaries, strict=True)))
    memory: Memory[float] = Memory(cache, name)
    try:
        with chat.connect(base_url, api_key=api_key, timeout=timeout, concurrency=concurrency) as client:
            server = asking.Server(client, numbers, retries + 1)
            ask = partial(asking.rows, server=server, memory=memory, concurrency=concurrency)
            checks = _checks(pairs, ask) if controls else {}
            doubts = {prompt: doubt for prompt, row in checks.items() if (doubt := _doubt(row))}
            sound = [pair for pair in pairs if pair[0] not in doubts]
            rows = dict(zip(sound, ask(sound, FEATURE_NAMES), strict=True))
        causes = {pair: doubts.get(pair[0]) or rows[pair].fault for pair in pairs}
        if pairs and all(causes.values()):
            raise DataError(f"none of {len(pairs)} summaries could be scored, the first one for this: {causes[pairs[0]]}")
    except DataError as error:
        raise DataError(f"{error}; {memory.told()}") from error
    asked = [*checks.values(), *rows.values()]
    counts = [sum(row.asked for row in asked), sum(row.cached for row in asked), sum(row.asked_again for row in asked)]
    log.info("%d marks asked of %s, %d known before, %d replies without a mark", counts[0], name, *counts[1:])
    places = {pair: place for place, pair in reversed(list(enumerate(zip(prompts, summaries, strict=True))))}
    return Scored(_features(rows, wording.scorer(name)), _rejects(causes, places), *counts)


def _checks(pairs: Sequence[Pair], ask: Ask) -> dict[str, asking.Row]:
    """Prompt -> what a control got to its reviews."""
    prompts = list(dict.fromkeys(prompt for prompt, _ in pairs))
    return dict(zip(prompts, ask([(prompt, wording.control(prompt)) for prompt in prompts], [JUDGED]), strict=True))


def _doubt(control: asking.Row) -> str:
    """Why marks to the same reviews can't be trusted; empty where they can."""
    if control.fault:
        return f"its reviews' control got no mark: {control.fault}"
    if control.scores[JUDGED] <= HIGHEST:
        return ""
    got = (
        f"to its reviews a summary of something else got {control.scores[JUDGED]:g} for {JUDGED}, at most {HIGHEST:g} expected"
    )
    return f"{got}: the scorer obeys what they say or can't judge; read them, or try another model"


def _features(rows: Mapping[Pair, asking.Row], scorer: str) -> pl.DataFrame:
    whole = [
        (summary_id(*pair), scorer, *(row.scores[feature] for feature in FEATURE_NAMES))
        for pair, row in rows.items()
        if not row.fault
    ]
    return pl.DataFrame(whole, schema=FEATURES.empty().schema, orient="row")


def _rejects(causes: Mapping[Pair, str], places: Mapping[Pair, int]) -> pl.DataFrame:
    refused = [
        ("summaries", places[pair] + 1, places[pair], f"summary {summary_id(*pair)}: {cause}")
        for pair, cause in causes.items()
        if cause
    ]
    return pl.DataFrame(refused, schema=REJECTS.empty().schema, orient="row")
