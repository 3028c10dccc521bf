"""The page of questions by themselves: what was dropped and why, pictures, data sheet, samples; and what to doubt of them."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from assets import html
from assets import pictures as common
from assets.written import pictures

Tables = Mapping[str, pl.DataFrame]
SHOWN = 6  # questions of a behaviour
BOUNDS = "out of bounds"  # section of a sheet's warnings


def page(name: str, tables: Tables) -> str:
    """The page of questions by themselves, before anyone was asked."""
    held = tables["questions"]
    subtitle = f"{asked_about(held)}, {len(tables['dropped_questions']):,} dropped"
    return html.page(f"Questions: {name}", subtitle, (doubts(warnings(tables)), *parts(tables)))


def asked_about(questions: pl.DataFrame) -> str:
    """How many there are, and of how many behaviours."""
    count = questions["behaviour"].n_unique()
    return f"{len(questions):,} questions about {count} {'behaviour' if count == 1 else 'behaviours'}"


def parts(tables: Tables) -> Iterator[str]:
    """What the questions are like: yield, pictures, data sheet, samples."""
    yield _dropped(tables)
    yield _pictures(tables)
    yield _sheet(tables["data_sheet"])
    yield _samples(tables["questions"])


def warnings(tables: Tables) -> list[str]:
    """What of the questions is out of the bounds that a set should keep, in sentences."""
    sheet = tables["data_sheet"]
    said = sheet.filter(section=BOUNDS)["value"].to_list()
    told = dict(sheet.filter(section="how made").select("fact", "value").iter_rows())
    if told.get("writer") == told.get("discriminator"):
        said.append("writer and discriminator are the same model, which may prefer what it wrote")
    return said


def doubts(said: Sequence[str]) -> str:
    """Those sentences as a section; nothing where there are none."""
    return html.section("Before you believe it", *map(html.paragraph, said)) if said else ""


def reasons(dropped: pl.DataFrame) -> pl.DataFrame:
    """behaviour, reason, questions: without the numbers that a reason holds."""
    kinds = pl.col("reason").str.replace(r": confidence .*", "").alias("reason")
    return (
        dropped.group_by("behaviour", kinds, maintain_order=True)
        .len("questions")
        .sort("behaviour", "questions", descending=[False, True])
    )


def _dropped(tables: Tables) -> str:
    rows = reasons(tables["dropped_questions"]).rows()
    parts = [html.table(["behaviour", "why", "questions"], rows)] if rows else [html.paragraph("Nothing was dropped.")]
    rejected = tables["rejected_replies"]
    if len(rejected):
        said = rejected["cause"].value_counts(sort=True).head(10).rows()
        parts += [
            html.paragraph(f"{len(rejected):,} replies of the writer were no questions:"),
            html.table(["why", "replies"], said),
        ]
    return html.section("What was dropped, and why", *parts)


def _pictures(tables: Tables) -> str:
    held, places = tables["questions"], tables["question_map"]
    drawn = []
    if len(places):
        caption = "Every question by its meaning, coloured by the answer that shows the behaviour; names are of clusters"
        drawn.append(html.figure(common.svg(common.question_map(places)), caption))
    if held["label_confidence"].null_count() < len(held):
        caption = "How sure the discriminator is of the labels"
        drawn.append(html.figure(common.svg(pictures.confidences(held, tables["dropped_questions"])), caption))
    return html.section("The questions in pictures", *drawn) if drawn else ""


def _sheet(sheet: pl.DataFrame) -> str:
    return html.section("Data sheet", html.table(["section", "fact", "value"], sheet.rows()))


def _samples(questions: pl.DataFrame) -> str:
    parts = []
    for (name,), own in questions.group_by("behaviour", maintain_order=True):
        rows = [
            [
                each["statement"] or each["question"],
                ", ".join(each["matching"]).strip(),
                "" if each["label_confidence"] is None else f"{each['label_confidence']:.2f}",
            ]
            for each in own.head(SHOWN).iter_rows(named=True)
        ]
        parts += [
            html.paragraph(f"{name}, the first {len(rows)} of {len(own):,}"),
            html.table(["question", "shows it", "confidence"], rows),
        ]
    return html.section("Samples", *parts)
