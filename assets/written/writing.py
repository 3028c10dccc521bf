"""From behaviours to questions that are kept: written, scored, filtered, and published sets beside them."""

from pathlib import Path
from typing import Any

import polars as pl

from assets.steps import Watch, silent
from assets.written.rows import Written
from checks import memory
from checks.questions import filtering, scoring, sheet
from checks.questions import map as maps
from checks.questions.filtering import Filtered
from pipelines.questions import WRITERS, examples, judging, reading, templates
from pipelines.questions.behaviours import Behaviour
from pipelines.questions.identity import with_question_ids
from pipelines.schema import QUESTION_SCORES, QUESTIONS, REJECTS, DataError, require

PUBLISHED = "{} (published)"
FEW = 2_000  # questions, up to which a map is t-SNE


def behaviours(row: Written) -> pl.DataFrame:
    """A row a behaviour: what it is, and its examples by hand."""
    columns = ("name", "description", "subject", "desired", "format", "examples")
    held = [
        (each.name, each.description, each.subject, each.desired, each.format, [gold.question for gold in each.gold])
        for each in row.of.values()
    ]
    schema: Any = dict.fromkeys(columns, pl.String()) | {"examples": pl.List(pl.String())}
    return pl.DataFrame(held, schema=schema, orient="row")


def candidates(row: Written, replies: Path, watch: Watch = silent) -> tuple[pl.DataFrame, pl.DataFrame]:
    """QUESTIONS as they were written, and REJECTS; what a server says is kept in `replies`."""
    found = []
    for at, each in enumerate(row.of.values()):
        watch("writing questions", at, len(row.behaviours))
        more = {"cache": replies} if row.writer == "server" else {}
        found.append(WRITERS[row.writer](each, count=row.count, seed=row.seed, **_settings(row, each), **more))
    questions = [one.questions for one in found] or [QUESTIONS.empty()]
    numbered = pl.concat(questions).with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64()))
    return numbered, pl.concat([REJECTS.empty(), *(one.rejects for one in found)])


def _settings(row: Written, each: Behaviour) -> dict[str, Any]:
    """The writer's settings; of planted faults those only that a form can have."""
    planted = templates.PLANTED[each.format] if row.writer == "templates" else None
    return {name: value for name, value in row.writing.items() if planted is None or name in planted}


def scores(row: Written, questions: pl.DataFrame, replies: Path, watch: Watch = silent) -> pl.DataFrame:
    """QUESTION_SCORES of the questions, by the row's discriminator."""
    if not len(questions):
        return QUESTION_SCORES.empty()
    watch("scoring questions", 0, 1)
    held = row.of
    gold = pl.concat([examples.questions(each) for each in held.values()]) if row.discriminator == "examples" else None
    found = scoring.score(questions, gold=gold, encoder=encoder(), seed=row.seed)
    if row.discriminator == "server":
        told = judging.judge(questions, held, cache=replies, **row.judging)
        found = require(found.with_columns(label_confidence=told["label_confidence"]), QUESTION_SCORES)
    return found


def encoder() -> memory.Memory:
    """MiniLM that remembers what it was given."""
    return memory.Memory(memory.folder() / "embeddings")


def select(row: Written, questions: pl.DataFrame, scored: pl.DataFrame) -> Filtered:
    """What is kept and what is not; what is kept bears its confidence, and published sets stand behind it."""
    found = filtering.select(questions, scored, top=row.per_label, sure=row.sure)
    kept = with_confidence(found.kept, scored)
    if row.behaviours and not len(kept) and not row.published:
        raise DataError(f"no question of {len(questions):,} is kept; write more (count), or lower sure, now {row.sure:g}")
    return Filtered(pl.concat([kept, published(row)]), found.kept_scores, found.dropped)


def with_confidence(questions: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """QUESTIONS with what the discriminator gave their labels."""
    told = scored.select("question_id", told="label_confidence")
    joined = questions.join(told, on="question_id", how="left", maintain_order="left")
    return require(joined.with_columns(label_confidence=pl.coalesce("told", "label_confidence")), QUESTIONS)


def published(row: Written) -> pl.DataFrame:
    """Of each behaviour of published sets as many questions as are wanted, evenly of its labels, under
    names that are not ours.
    """
    if not row.published:
        return QUESTIONS.empty()
    there = reading.read(row.published).questions.filter(pl.col("matching").list.len() > 0)
    if not len(there):
        raise DataError(f"{row.published}: no question has an answer that shows a behaviour; name other sets")
    label = pl.col("matching").list.join("\n")
    order = pl.int_range(pl.len()).shuffle(seed=row.seed).over("behaviour", label)
    labels = label.n_unique().over("behaviour")
    drawn = there.filter(order * labels < row.published_rows).with_columns(behaviour=pl.format(PUBLISHED, "behaviour"))
    return require(with_question_ids(drawn), QUESTIONS)


def data_sheet(row: Written, questions: pl.DataFrame, dropped: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The sheet of what we wrote and kept, or of published sets where that is all."""
    own = questions.filter(pl.col("behaviour").is_in(row.behaviours))
    gold = pl.concat([QUESTIONS.empty(), *(examples.questions(each) for each in row.of.values())])
    about, filtered = (own, dropped) if len(own) else (questions, None)
    found = sheet.sheet(about, dropped=filtered, gold=gold, made=_writer(row), encoder=encoder(), seed=row.seed)
    if said := sheet.warnings(found):
        found["out of bounds"] = {str(place): words for place, words in enumerate(said, 1)}
    found["how made"] |= {"discriminator": _judge(row), "published sets beside": len(questions) - len(own) if len(own) else 0}
    return found


def question_map(row: Written, questions: pl.DataFrame) -> pl.DataFrame:
    """Places and clusters of the questions; none of fewer than four."""
    if len(questions) < 4:
        names = ("question_id", "behaviour", "label", "name")
        return pl.DataFrame(
            schema={**dict.fromkeys(names, pl.String()), "x": pl.Float64(), "y": pl.Float64(), "cluster": pl.Int64()}
        )
    method = "tsne" if len(questions) <= FEW else "pca"  # which parts behaviours well, and is slow
    return maps.question_map(questions, encoder=encoder(), method=method, seed=row.seed)


def table_of(found: sheet.Sheet) -> pl.DataFrame:
    """A sheet as rows: section, fact, value as text."""
    lines = [(section, name, sheet.shown(value)) for section, facts in found.items() for name, value in facts.items()]
    return pl.DataFrame(lines, schema=dict.fromkeys(("section", "fact", "value"), pl.String()), orient="row")


def _writer(row: Written) -> str:
    return f"server {row.writing.get('model') or row.writing.get('base_url', '')}" if row.writer == "server" else row.writer


def _judge(row: Written) -> str:
    if row.discriminator == "server":
        return f"server {row.judging.get('model') or row.judging['base_url']}"
    return {"examples": "a head on MiniLM, of examples by hand", "out_of_fold": "a head on MiniLM, out of fold"}[
        row.discriminator
    ]
