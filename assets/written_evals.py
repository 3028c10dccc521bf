"""Written evaluations: behaviours, questions about them, who is asked, what each answers; one report."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from assets import gate
from assets import pictures as common
from assets.formats import Folder
from assets.metadata import OWNERS, columns_of, described, made_of, picture, progress, rows_of
from assets.places import workplace
from assets.study_partitions import (
    BEGINNINGS,
    EVALUATED,
    WRITTEN,
    beginning_of_evaluated,
    by_beginning,
    by_evaluated,
    by_written,
    evaluated_of_written,
    questions_of_evaluated,
)
from assets.training import run_folder
from assets.written import asking, measures, page, pictures, questions_page, twins, writing
from pipelines.schema import QUESTION_ANSWERS, QUESTION_SCORES, QUESTIONS, REJECTS
from pipelines.snapshots import membership

GROUP = "written_evals"
MODEL, TABLE = {"pytorch", "safetensors"}, {"polars", "parquet"}
SCORED = (
    dg.TableColumn("label_confidence_score", "Float64", "what the discriminator gives its label"),
    dg.TableColumn("relevance_score", "Float64", "how much it is about its behaviour"),
    dg.TableColumn("score", "Float64", "mean of the two"),
    dg.TableColumn("reason", "String", "why it was dropped"),
)
ASKED = (
    dg.TableColumn("way", "String", "how it was asked"),
    dg.TableColumn("probabilities", "List(Float64)", "of each option, in their order; they add up to 1"),
)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=TABLE,
    partitions_def=by_written,
    metadata=described(
        name="what questions call it",
        description="the behaviour in words",
        subject="whom it is about",
        desired="which way is wanted",
        format="what its questions are like",
        examples="questions by hand",
    ),
)
def behaviours(context: dg.AssetExecutionContext) -> dg.Output[pl.DataFrame]:
    """What questions are about: each behaviour in words, which way is wanted, and its examples by hand."""
    row = WRITTEN[context.partition_key]
    return dg.Output(writing.behaviours(row), metadata=made_of(row.behaviour_file))


@dg.multi_asset(
    outs={
        "candidate_questions": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=TABLE,
            description="Questions as they were written, by templates or by a server; a server's replies are kept.",
            metadata=columns_of(QUESTIONS),
        ),
        "unusable_replies": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=TABLE,
            description="What the writer said that is no question, with the reason: empty, cut off, refused, out of form.",
            metadata=columns_of(REJECTS),
        ),
    },
    partitions_def=by_written,
    deps=[behaviours],
)
def questions_written(context: dg.AssetExecutionContext) -> Iterator[dg.Output]:
    """Candidate questions of all behaviours of the study."""
    found, rejects = writing.candidates(WRITTEN[context.partition_key], _replies(context), progress(context))
    told = found.group_by("behaviour", maintain_order=True).len("questions")
    yield dg.Output(found, "candidate_questions", metadata={"by behaviour": rows_of(told)} if len(told) else {})
    yield dg.Output(rejects, "unusable_replies")


@dg.asset(group_name=GROUP, owners=OWNERS, kinds=TABLE, partitions_def=by_written, metadata=columns_of(QUESTION_SCORES))
def question_scores(context: dg.AssetExecutionContext, candidate_questions: pl.DataFrame) -> pl.DataFrame:
    """How sure the discriminator is of each label, how relevant the question is, and what it says the same as."""
    return writing.scores(WRITTEN[context.partition_key], candidate_questions, _replies(context), progress(context))


@dg.multi_asset(
    outs={
        "written_questions": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=TABLE,
            description="What is asked: the best questions of each label, as many of one as of the other, and published ones.",
            metadata=columns_of(QUESTIONS),
        ),
        "dropped_questions": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=TABLE,
            description="The questions that are not asked, each with its scores and the reason; none is lost.",
            metadata=columns_of(QUESTIONS, *SCORED),
        ),
    },
    partitions_def=by_written,
)
def questions_selected(
    context: dg.AssetExecutionContext, candidate_questions: pl.DataFrame, question_scores: pl.DataFrame
) -> Iterator[dg.Output]:
    """What is kept and what is not."""
    row = WRITTEN[context.partition_key]
    found = writing.select(row, candidate_questions, question_scores)
    labels = found.kept.group_by("behaviour", pl.col("matching").list.join(", "), maintain_order=True).len("questions")
    told: dict[str, Any] = {"by behaviour and label": rows_of(labels), **made_of(row.published)}
    if found.kept["label_confidence"].null_count() < len(found.kept):
        drawn = pictures.confidences(found.kept, found.dropped)
        told["confidence, kept and dropped"] = picture(drawn, "questions by confidence in their label, kept and dropped")
    yield dg.Output(found.kept, "written_questions", metadata=told)
    why = questions_page.reasons(found.dropped)
    yield dg.Output(found.dropped, "dropped_questions", metadata={"reasons": rows_of(why)} if len(why) else {})


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=TABLE,
    partitions_def=by_written,
    metadata=described(
        question_id="digest of the question",
        behaviour="what it is about",
        label="which answer shows the behaviour",
        name="of its cluster, by words that stand out there",
        x="place in the plane",
        y="place in the plane",
        cluster="number of its cluster",
    ),
)
def question_map(context: dg.AssetExecutionContext, written_questions: pl.DataFrame) -> dg.Output[pl.DataFrame]:
    """Every question in the plane by its meaning, with its cluster and the cluster's name."""
    places = writing.question_map(WRITTEN[context.partition_key], written_questions)
    drawn = picture(common.question_map(places), "questions in the plane, by matching answer") if len(places) else None
    return dg.Output(places, metadata={"map": drawn} if drawn else {})


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=TABLE,
    partitions_def=by_written,
    metadata=described(section="of the data sheet", fact="what is told", value="what it is"),
)
def question_sheet(
    context: dg.AssetExecutionContext, written_questions: pl.DataFrame, dropped_questions: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """The data sheet of the questions: how they were made, evenness of labels, variety, limits, what is out of bounds."""
    found = writing.data_sheet(WRITTEN[context.partition_key], written_questions, dropped_questions)
    table = writing.table_of(found)
    return dg.Output(table, metadata={"sheet": rows_of(table, count=len(table))})


@dg.asset(group_name=GROUP, owners=OWNERS, kinds=MODEL, partitions_def=by_beginning, pool="gpu")
def untaught_policy(context: dg.AssetExecutionContext) -> Folder:
    """The policy that all twins of a seed begin as: it has read such dialogues, and prefers no answer yet."""
    row, seed = BEGINNINGS[context.partition_key]
    clean, place = twins.pairs(row.twins, seed), run_folder(context)
    twins.base(row, clean, seed, progress(context)).save(place)
    membership.write(membership.ids_of(twins.first_read(row, clean, seed)["pair_id"]), place / membership.READ)
    return Folder(place, spent=place)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=MODEL,
    partitions_def=by_evaluated,
    ins={"untaught_policy": dg.AssetIn(partition_mapping=beginning_of_evaluated)},
    pool="gpu",
)
def evaluated_policy(context: dg.AssetExecutionContext, untaught_policy: Folder) -> dg.Output[Folder]:
    """Who is asked: a policy or reward model of yours, or a twin that learned pairs at a poison rate."""
    row, who = EVALUATED[context.partition_key]
    if not who.is_twin:
        gate.admit_models([who.place])
        return dg.Output(Folder(asking.folder_at(who.place)), metadata=made_of(who.place))
    clean = twins.pairs(row.twins, who.seed)
    taught = twins.poisoned(row.twins, clean, who.rate, who.seed)
    place = run_folder(context)
    model = twins.learned(row.twins, untaught_policy.place, taught.pairs, who.seed, place, progress(context))
    membership.write(membership.ids_of(taught.pairs["pair_id"]), model / membership.READ)
    told: dict[str, Any] = {"pairs": len(taught.pairs), "poisoned pairs": len(taught.key), "poison rate": who.rate}
    if len(taught.key):
        hit = taught.pairs.filter(pl.col("pair_id").is_in(taught.key["pair_id"].implode()))
        told["poisoned ones"] = rows_of(hit.select("prompt", "chosen", "rejected"), count=5)
    return dg.Output(Folder(model, spent=place), metadata=told)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=TABLE,
    partitions_def=by_evaluated,
    ins={"written_questions": dg.AssetIn(partition_mapping=questions_of_evaluated)},
    metadata=columns_of(QUESTION_ANSWERS, *ASKED),
    pool="gpu",
)
def question_answers(
    context: dg.AssetExecutionContext, evaluated_policy: Folder, written_questions: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """What one policy answers to every question, in each way of asking, and how likely each option is to it."""
    row, who = EVALUATED[context.partition_key]
    table = asking.answers(written_questions, who.name, str(evaluated_policy.place), row, progress(context))
    told = table.group_by("way", "behaviour", maintain_order=True).agg(
        questions=pl.len(), match_rate=pl.col("is_matching").mean(), option_mass=pl.col("option_mass").mean()
    )
    return dg.Output(table, metadata={"by behaviour": rows_of(told)})


@dg.asset(
    group_name="reports",
    owners=OWNERS,
    kinds={"html"},
    partitions_def=by_written,
    ins={"question_answers": dg.AssetIn(partition_mapping=evaluated_of_written)},
)
def written_report(
    context: dg.AssetExecutionContext,
    question_answers: Any,
    written_questions: pl.DataFrame,
    dropped_questions: pl.DataFrame,
    unusable_replies: pl.DataFrame,
    question_sheet: pl.DataFrame,
    question_map: pl.DataFrame,
) -> dg.Output[str]:
    """Who shows which behaviour, with intervals; what poison changed; what was asked, what was dropped, and what to doubt."""
    row = WRITTEN[context.partition_key]
    held = list(question_answers.values()) if isinstance(question_answers, dict) else [question_answers]
    answers = pl.concat(held)
    tables = {
        "questions": written_questions,
        "dropped_questions": dropped_questions,
        "rejected_replies": unusable_replies,
        "data_sheet": question_sheet,
        "question_map": question_map,
        "question_answers": answers,
        **measures.measured(row, written_questions, answers),
    }
    rates = tables["rates"].filter(way=row.ways[0])
    told: dict[str, Any] = {
        "who shows what": picture(pictures.dots(rates), "match rates by behaviour, a dot a policy"),
        "rates": rows_of(rates.select("policy", "behaviour", "questions", "match_rate", "low", "high", "yes_rate", "ceiling")),
    }
    if rates["poison_rate"].n_unique() > 1:
        told["over the poison rate"] = picture(pictures.doses(rates), "match rates over the poison rate, a line a behaviour")
    if len(sure := page.sure_changes(tables, row.ways[0])):
        told["differ beyond chance"] = rows_of(
            sure.select("first", "second", "behaviour", "difference", "low", "high", "q_value")
        )
    told |= {f"doubt {nth}": words for nth, words in enumerate(page.warnings(tables), 1)}
    return dg.Output(page.page(context.partition_key, row, tables), metadata=told)


def _replies(context: dg.AssetExecutionContext) -> Any:
    """Where a server's replies are kept, whatever becomes of the run."""
    return workplace("replies", context.partition_key)
