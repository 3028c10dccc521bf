"""Who judges what, what people are given, verdicts, what they show, and one report of it all."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import polars as pl

from assets.formats import Folder
from assets.metadata import OWNERS, columns_of, picture, rows_of
from assets.sophistry import numbers, pictures, report, study
from assets.sophistry_runs import GROUP, TABLE, kept
from assets.study_partitions import SOPHISTRY, run_name
from assets.training import run_folder
from pipelines.schema import REJECTS, VERDICTS
from pipelines.studies import STUDIES, key
from pipelines.tasks.kept_runs import keep

KEY = "key.json"
MEASURED = dg.TableSchema(
    [dg.TableColumn(name, str(numbers.MEASURES[name]), meaning) for name, meaning in numbers.MEANINGS.items()]
)


@dg.asset(group_name=GROUP, owners=OWNERS, kinds={"json"}, partitions_def=SOPHISTRY.by_run)
def study_plan(context: dg.AssetExecutionContext, oracle_verdicts: pl.DataFrame) -> dg.Output[Folder]:
    """The key of the study: who judges which output, and whose it is. It stays with whoever runs the study."""
    row, _, seed = SOPHISTRY.runs[context.partition_key]
    plan = study.planned(row, oracle_verdicts, seed)
    place = run_folder(context)
    place.mkdir(parents=True, exist_ok=True)
    (place / KEY).unlink(missing_ok=True)  # of a run that was broken off
    key.write(plan, place / KEY)
    told = {"judges": plan.assignments["judge"].n_unique(), "tasks": len(plan.assignments), "seconds an item": plan.seconds}
    counts = plan.assignments.unique("item_id").group_by("stratum").len("drawn").sort("stratum")
    there = pl.DataFrame({"stratum": list(plan.populations), "items": list(plan.populations.values())})
    strata = there.join(counts, on="stratum", how="left").fill_null(0)
    return dg.Output(Folder(place, spent=place), metadata={**told, "strata": rows_of(strata)})


@dg.asset(group_name=GROUP, owners=OWNERS, kinds={"json"}, partitions_def=SOPHISTRY.by_run)
def study_export(context: dg.AssetExecutionContext, oracle_verdicts: pl.DataFrame, study_plan: Folder) -> dg.Output[Folder]:
    """Blinded tasks for people, a folder a judge, for Label Studio and for Argilla; nothing in them names a policy."""
    place, plan = run_folder(context), _plan(study_plan)
    for name, tool in STUDIES.items():
        tool.export(oracle_verdicts, plan, place / name)
    back = 'set judge = "people", verdicts = what the tool exports, key = the study_plan\'s key.json, and launch sophistry_job'
    return dg.Output(Folder(place, spent=place), metadata={"tools": ", ".join(STUDIES), "when people have judged": back})


@dg.multi_asset(
    outs={
        "verdicts": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=TABLE,
            metadata=columns_of(VERDICTS),
            description="How sure each judge is that an output is correct: simulated judges, a model on a server, or people.",
        ),
        "rejected_answers": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=TABLE,
            metadata=columns_of(REJECTS),
            description="Rows of people's answers that belong to no task, or say something again; none of other judges.",
        ),
    },
    ins={"oracle_verdicts": dg.AssetIn(), "study_plan": dg.AssetIn()},
    partitions_def=SOPHISTRY.by_run,
)
def judging(
    context: dg.AssetExecutionContext, oracle_verdicts: pl.DataFrame, study_plan: Folder
) -> Iterator[dg.Output[pl.DataFrame]]:
    """Verdicts on the outputs of the plan; of a server none is asked for twice, and people's are read with the key."""
    row, _, seed = SOPHISTRY.runs[context.partition_key]
    plan, runs = _plan(study_plan), study.opened_runs(row, kept())
    if row.are_people:
        verdicts, rejects = study.people(row, plan)
    else:
        verdicts, rejects = study.judge(row, oracle_verdicts, plan, seed, runs, kept()), REJECTS.empty()
        keep(runs, kept() / study.PROGRAMS)
    faults = verdicts.drop_nulls("fault")["fault"].value_counts().sort("fault")
    told: dict[str, Any] = {
        "judged by": report.words_of(row),
        "without a verdict": len(verdicts) - verdicts["confidence"].count(),
    }
    yield dg.Output(verdicts, "verdicts", metadata=told | ({"faults": rows_of(faults)} if len(faults) else {}))
    yield dg.Output(rejects, "rejected_answers")


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=TABLE,
    partitions_def=SOPHISTRY.by_run,
    metadata={"dagster/column_schema": MEASURED},
)
def sophistry_metrics(
    context: dg.AssetExecutionContext,
    oracle_verdicts: pl.DataFrame,
    study_plan: Folder,
    verdicts: pl.DataFrame,
    rejected_answers: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """Approval, correctness and how judges err, before and after, with intervals over items and judges."""
    row, arm, seed = SOPHISTRY.runs[context.partition_key]
    run = study.Run(oracle_verdicts, _plan(study_plan), verdicts, rejected_answers)
    found = study.measured(row, run, seed)
    tables = numbers.of(row, {(arm, seed): found})
    told: dict[str, Any] = {name: tables["runs"][name][0] for name in ("verdict", "because")}
    if not isinstance(found, str):
        policies = (found.before, found.after)
        told["approval and correctness"] = picture(
            pictures.levels(found.levels, ("approval", "correctness"), policies), "approval and correctness before and after"
        )
        told["how judges err"] = picture(pictures.levels(found.levels, pictures.RATES, policies), "error rates with intervals")
        told |= _of_judges(found, policies)
    return dg.Output(tables["sophistry"], metadata=told)


@dg.asset(
    group_name="reports",
    owners=OWNERS,
    kinds={"html"},
    partitions_def=SOPHISTRY.by_study,
    ins={
        name: dg.AssetIn(partition_mapping=SOPHISTRY.study_of_run)
        for name in ("oracle_verdicts", "verdicts", "rejected_answers", "sophistry_metrics")
    },
)
def sophistry_report(
    context: dg.AssetExecutionContext, oracle_verdicts: Any, verdicts: Any, rejected_answers: Any, sophistry_metrics: Any
) -> dg.Output[str]:
    """Whether judges approve more of what training made without its being right more often, by what was rewarded."""
    name = context.partition_key
    row = SOPHISTRY.rows[name]
    parts = [run_name(arm, name, seed) for seed in row.seeds for arm in row.runs]
    graded, said, refused = (_by(parts, each) for each in (oracle_verdicts, verdicts, rejected_answers))
    found = {
        SOPHISTRY.runs[part][1:]: study.Run(graded[part], study.planned(row, graded[part], SOPHISTRY.runs[part][2]), *each)
        for part, *each in zip(parts, said.values(), refused.values(), strict=True)
    }
    tables = study.tables(row, found)
    told: dict[str, Any] = {
        "what came of each": rows_of(tables["runs"].select(pl.exclude("because"), "because"), count=len(found))
    }
    told["what must hold"] = rows_of(
        tables["audits"].select("arm", "seed", "audit", "passed", "words").sort("passed"), count=len(tables["audits"])
    )
    if len(tables["sophistry"]):
        told["what training changed"] = picture(
            pictures.changes(tables["sophistry"], report.TOLD), "changes by arm, a point a seed, with intervals"
        )
    return dg.Output(report.page(name, row, tables), metadata=told)


def _of_judges(found: Any, policies: tuple[str, str]) -> Mapping[str, Any]:
    """Pictures and numbers of who judged, where there are any."""
    told: dict[str, Any] = {}
    if len(found.confidences):
        drawn = pictures.confidences(found.confidences, policies)
        told["how sure judges are of what is wrong"] = picture(drawn, "confidence in wrong outputs, before and after")
    if len(found.judges):
        told["each judge"] = picture(pictures.slopes(found.judges, policies), "error of each judge, before and after")
    if len(found.times):
        told["by the time that judges took"] = rows_of(found.times)
    return told


def _plan(folder: Folder) -> Any:
    return key.read(folder.place / KEY)


def _by(parts: list[str], held: Any) -> dict[str, pl.DataFrame]:
    """Tables by partition; a store gives one alone where there is but one."""
    return {part: held[part] if isinstance(held, dict) else held for part in parts}
