"""PromptOpinSumm (Nath et al., 2024): several summaries of each product in each tier, written by whom you like.

A product's summaries are asked for one after another, since none may equal another of the same product; products run side by
side where the writer allows it.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product as every
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.opinions import summary_id
from pipelines.schema import PRODUCTS, REJECTS, SUMMARIES, DataError, digest, is_encodable, require
from pipelines.settings import checked
from pipelines.sources.shapes import LEAST
from pipelines.summaries import WRITERS
from pipelines.summaries.answers import Answers, Asked
from pipelines.summaries.reading import plain
from pipelines.summaries.tiers import Request, Writer, tiers


@dataclass(frozen=True, slots=True)
class Built:
    """SUMMARIES, product by product and the best tier first; REJECTS of those that could not be had, with the product's row."""

    summaries: pl.DataFrame
    rejects: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Plan:
    """What holds for every product: the writer, its answers so far, and how many summaries a tier has."""

    writer: Writer
    answers: Answers
    each: int
    seed: int
    tries: int


def build(
    products: pl.DataFrame,
    *,
    writer: str = "rules",
    each: int = 3,
    seed: int = 0,
    cache: str | Path | None = None,
    tries: int = 4,
    **settings: Any,
) -> Built:
    """`each` summaries of each tier for each of PRODUCTS, equal reviews counting once; `settings` go to the writer.

    A summary that is shorter than 20 characters or equals another of its product is asked for again, each time by another
    seed, and rejected after `tries`. `cache` names a file in which a server's answers are kept as they come: what stands
    there is not asked for again. Raises DataError for unknown settings and where the writer fails.
    """
    if writer not in WRITERS:
        raise DataError(f"writer must be one of {', '.join(WRITERS)}, got {writer!r}")
    if each < 1 or tries < 1:
        raise DataError(f"each and tries are numbers of summaries and must be 1 or more, got {each} and {tries}")
    rows = require(products, PRODUCTS).unique("prompt", keep="first", maintain_order=True).rows(named=True)
    prompts = [row["prompt"] for row in rows]
    numbers = checked(settings, WRITERS[writer], about=f"the writer {writer}")
    with WRITERS[writer](**numbers) as opened, ThreadPoolExecutor(opened.at_once) as pool:
        plan = Plan(opened, Answers(Path(cache) if cache else None), each, seed, tries)
        found = list(pool.map(partial(_of_product, plan=plan, prompts=prompts), range(len(rows)), rows))
    summaries = [row for written, _ in found for row in written]
    rejects = [row for _, refused in found for row in refused]
    return Built(
        pl.DataFrame(summaries, schema=SUMMARIES.empty().schema, orient="row"),
        pl.DataFrame(rejects, schema=REJECTS.empty().schema, orient="row"),
    )


def _of_product(at: int, row: Mapping[str, Any], *, plan: Plan, prompts: list[str]) -> tuple[list[tuple], list[tuple]]:
    """Rows of SUMMARIES and of REJECTS for the product at place `at`."""
    written, refused, seen = [], [], dict[str, str]()
    for tier, place in every(tiers(), range(plan.each)):
        name = f"{tier} summary {place + 1}"
        try:
            text, fault = _sound(plan, prompts, at, tier, place, seen)
        except DataError as error:
            raise DataError(f"product row {row['row']}, {name}: {error}") from error
        if fault:
            cause = f"{name} {fault}, in {plan.tries} tries; ask another model or raise tries"
            refused.append((row["source"], row["row"] + 1, row["row"], cause))
            continue
        seen[plain(text)] = name
        written.append((summary_id(row["prompt"], text), row["prompt"], text, tier, plan.writer.name))
    return written, refused


def _sound(plan: Plan, prompts: list[str], at: int, tier: str, place: int, seen: Mapping[str, str]) -> tuple[str, str]:
    """The first text without a fault, asked for by one seed after another; else the last, with its fault."""
    for nth in range(plan.tries):
        lot = int(digest(str(plan.seed), prompts[at], tier, str(place), str(nth)), 16)
        other = prompts[(at + 1 + lot % (len(prompts) - 1)) % len(prompts)] if len(prompts) > 1 else ""
        request = Request(prompts[at], tier, lot >> 33, other)  # servers want seeds below 2**31
        text = _answered(plan, request, place)
        fault = _fault(text, seen)
        if not fault:
            break
    return text, fault


def _answered(plan: Plan, request: Request, place: int) -> str:
    """The kept answer, or a new one that is kept."""
    terms = plan.writer.terms
    if terms is None:
        return plan.writer.write(request)
    asked = Asked(plan.writer.name, terms[request.tier], digest(request.prompt), request.tier, place, request.seed)
    kept = plan.answers.get(asked)
    if kept is None:
        kept = plan.writer.write(request)
        plan.answers.keep(asked, kept)
    return kept


def _fault(text: str, seen: Mapping[str, str]) -> str:
    """What is wrong with a summary beside those of its product that were `seen`; empty where nothing is."""
    if not is_encodable(text):
        return "holds half a surrogate pair, which is no text"
    if len(text.strip()) < LEAST:
        return f"has {len(text.strip())} characters where {LEAST} are the least"
    return f"equals {seen[plain(text)]}" if plain(text) in seen else ""
