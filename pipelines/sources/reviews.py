"""Product reviews by product, and the summaries that come with some: OpinPref, PromptOpinSumm, FewSum, OPOSUM, Hu and Liu.

Any other set of reviews is read as one review a row, with the product's name beside it.
"""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import opinions
from pipelines.schema import FEATURES, PRODUCTS, REJECTS, SUMMARIES, DataError, digest, require
from pipelines.sources import opinpref, records
from pipelines.sources.shapes import BadRow, Values, reviews_of
from pipelines.sources.tiered import Tiered, tiered

OURS = ("product", "review")


@dataclass(frozen=True, slots=True)
class Said:
    """What one row says of a product; `product` is None where the row is a whole product without a name."""

    product: str | None
    reviews: tuple[str, ...] = ()
    summaries: tuple[Tiered, ...] = ()


#: by product: reviews, summaries, and where they came from
Found = Mapping[str, tuple[Sequence[str], Sequence[Tiered], str]]


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write reviews: the columns by which it is known, and the reading of one row."""

    columns: tuple[str, ...]
    said: Callable[[Values], Said]


@dataclass(frozen=True, slots=True)
class Products:
    """PRODUCTS; SUMMARIES that came with them, people's of the tier gold; FEATURES of those that came with marks; REJECTS."""

    products: pl.DataFrame
    summaries: pl.DataFrame
    features: pl.DataFrame
    rejects: pl.DataFrame


def grouped(values: Values) -> Said:
    """All reviews of a product in one list (OpinPref), perhaps with summaries in tiers (PromptOpinSumm; Nath et al., 2024)."""
    return Said(_name(values, "unique-id"), tuple(reviews_of(values)), tiered(values))


def numbered(values: Values) -> Said:
    """rev1 to rev8, summ1 to summ3 (FewSum; Brazinskas et al., 2020)."""
    listed = [[values[name] for name in sorted(values) if name.startswith(kind) and values[name]] for kind in ("rev", "summ")]
    return Said(_name(values, "group_id"), tuple(reviews_of({"reviews": listed[0]})), _gold(*listed[1]))


def segments(values: Values) -> Said:
    """One review, cut into elementary discourse units (OPOSUM; Angelidis and Lapata, 2018)."""
    return Said(_name(values, "product"), (_joined(values, "segments"),))


def sentences(values: Values) -> Said:
    """One review (Hu and Liu, 2004) or, where there is a `kind`, one extracted gold summary (OPOSUM), cut into sentences."""
    text = _joined(values, "sentences")
    if "kind" not in values:
        return Said(_name(values, "product"), (text,))
    return Said(_name(values, "product"), summaries=_gold(text) if values["kind"] == "all" else ())


def single(values: Values) -> Said:
    """One review as one text."""
    return Said(_name(values, "product") or _name(values, "unique-id"), tuple(reviews_of({"reviews": [values.get("review")]})))


FORMS: Mapping[str, Form] = {
    "grouped": Form(("reviews",), grouped),
    "numbered": Form(("rev1",), numbered),
    "segments": Form(("product", "segments"), segments),
    "sentences": Form(("product", "sentences"), sentences),
    "single": Form(("review",), single),
}


def read(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    revision: str | None = None,
    split: str = "train",
    limit: int | None = None,
) -> Products:
    """Products of a file, folder or hub data set in the order in which they first come; each row's form is detected.

    `columns` maps our `product` and `review` to theirs. Raises DataError where no row can be used.
    """
    if unknown := sorted(set(columns or {}) - set(OURS)):
        raise DataError(f"{unknown[0]!r} is no column of ours to map; there are {', '.join(OURS)}")
    found: dict[str, tuple[list[str], list[Tiered], str]] = {}
    rejects: list[tuple[str, int, int, str]] = []
    for place, row in enumerate(islice(records.opened(path, revision=revision, split=split), limit)):
        try:
            if row.values is None:
                raise BadRow(row.cause)
            said = _said({**row.values, **{ours: row.values.get(theirs) for ours, theirs in (columns or {}).items()}})
        except BadRow as error:
            rejects.append((row.source, row.line, place, str(error)))
            continue
        reviews, summaries, _ = found.setdefault(said.product or f"row {place}", ([], [], row.source))
        reviews += said.reviews
        summaries += said.summaries
    named = {name: about for name, about in found.items() if about[0]}
    if not named:
        cause = f"{rejects[0][0]} line {rejects[0][1]}: {rejects[0][3]}" if rejects else "no rows with reviews"
        raise DataError(f"{path}: holds no product with reviews ({cause}); map your columns: product=NAME, review=NAME")
    refused = pl.DataFrame(rejects, schema=REJECTS.empty().schema, orient="row")
    return Products(_products(named), *_summaries(named), refused)


def _said(values: Mapping[str, Any]) -> Said:
    for form in FORMS.values():
        if all(name in values for name in form.columns):
            return form.said(values)
    raise BadRow(f"expected reviews of a product, got the columns {', '.join(map(reprlib.repr, islice(values, 20)))}")


def _products(found: Found) -> pl.DataFrame:
    rows = [
        {"product_id": digest(asked := opinions.prompt(reviews)), "row": at, "prompt": asked, "name": name, "source": source}
        for at, (name, (reviews, _, source)) in enumerate(found.items())
    ]
    return require(pl.DataFrame(rows), PRODUCTS)


def _summaries(found: Found) -> tuple[pl.DataFrame, pl.DataFrame]:
    """SUMMARIES, each once, and FEATURES of those that have marks."""
    each: dict[str, tuple[str, Tiered, str]] = {}
    for reviews, texts, source in found.values():
        asked = opinions.prompt(reviews)
        for one in texts:
            each.setdefault(opinions.summary_id(asked, one.text), (asked, one, source))
    rows = [(name, asked, one.text, one.tier, source) for name, (asked, one, source) in each.items()]
    marks = [(name, opinpref.PUBLISHED, *one.features) for name, (_, one, _) in each.items() if one.features]
    return (
        pl.DataFrame(rows, schema=SUMMARIES.empty().schema, orient="row"),
        pl.DataFrame(marks, schema=FEATURES.empty().schema, orient="row"),
    )


def _gold(*texts: str) -> tuple[Tiered, ...]:
    return tuple(Tiered(text, "gold") for text in texts)


def _name(values: Values, column: str) -> str | None:
    name = values.get(column)
    return None if name is None else str(name)


def _joined(values: Values, column: str) -> str:
    """The texts of a list of texts, or of records with a `text`, as one."""
    parts = values.get(column)
    texts: list[Any] = (
        [part.get("text") if isinstance(part, dict) else part for part in parts] if isinstance(parts, list) else []
    )
    if not texts or not all(isinstance(text, str) for text in texts):
        raise BadRow(f"{column!r} must be a list of texts, got {reprlib.repr(parts)}")
    return reviews_of({"reviews": [" ".join(texts)]})[0]
