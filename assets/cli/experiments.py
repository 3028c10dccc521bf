"""Commands on experiments: experiment, demo."""

from pathlib import Path
from typing import Annotated, Any

import typer

from assets import gate
from assets.cli.common import Allow, AsJson, Out, Settings, say, settings_of, working
from pipelines.schema import DataError
from pipelines.snapshots import membership, staged


def experiment(
    row: Annotated[str, typer.Argument(help="name of an experiment")],
    out: Out = Path("experiment"),
    file: Annotated[Path | None, typer.Option(help="a TOML file of your own rows")] = None,
    settings: Settings = None,
    allow: Allow = None,
    as_json: AsJson = False,
) -> None:
    """Poison, audit, filter, train and report for one row; or one study of what training did."""
    from assets import studies
    from assets.experiment_files import all_experiments, changed, load

    rows, refused = all_experiments() if file is None else load(file)
    studied, wrong = studies.all_studies() if file is None else studies.load(file)
    for line in [*refused, *wrong]:
        typer.echo(f"antivenom: refused {line}", err=True)
    if row in studied:
        _evaluate(studies.changed(studied[row], settings_of(settings)), out, allow, as_json)
        return
    if row not in rows:
        there = f"; there are {', '.join([*rows, *studied])}" if rows or studied else ""
        raise DataError(f"no experiment {row!r}{there}" + (", and refused ones above" if refused or wrong else ""))
    _compare(changed(rows[row], settings_of(settings)), out, as_json)


def demo(out: Out = Path("demo"), as_json: AsJson = False) -> None:
    """The main job on generated pairs: build, poison, audit, filter, train, report."""
    from assets.experiments import EXPERIMENTS

    _compare(EXPERIMENTS["venom_poison_vs_rejected_3pct"], out, as_json)


def _compare(row: Any, out: Path, as_json: bool) -> None:
    from assets import comparison, report

    if row.opinions is not None or row.objectives:
        (_study if row.opinions is not None else _methods)(row, out, as_json)
        return
    with staged(out, "experiment", {"experiment": row.name, "poisoned": True}, inputs=[row.source]) as folder:
        with working(row.name, quiet=as_json) as watch:
            results = comparison.run(row, folder, watch)
        results.attack_success.write_parquet(folder / "attack_success.parquet")
        results.detection.write_parquet(folder / "detection.parquet")
        results.flags.write_parquet(folder / "flags.parquet")
        results.reward_accuracy.write_parquet(folder / "reward_accuracy.parquet")
        (folder / "report.html").write_text(report.experiment_page(results), encoding="utf-8")
    last = results.attack_success.group_by("corpus", "seed", maintain_order=True).last()
    lines = [
        f"  {corpus}, seed {seed}: attack success {success:.1%}"
        for corpus, seed, success in last.select("corpus", "seed", "success").iter_rows()
    ] or ["  the attack names no target: there is no attack success to measure"]
    lines += [
        f"  flagged, seed {row['seed']}: {row['poisoned_flagged']:,} of {row['poisoned']:,} poisoned pairs "
        f"and {row['clean_flagged']:,} of {row['clean']:,} clean ones"
        for row in results.flags.iter_rows(named=True)
    ]
    facts = {
        "experiment": row.name,
        "attack_success": results.attack_success.to_dicts(),
        "flags": results.flags.to_dicts(),
        "detection": results.detection.to_dicts(),
        "reward_accuracy": results.reward_accuracy.to_dicts(),
        "out": str(out),
    }
    say(facts, as_json, *lines, f"report: {out / 'report.html'}")


def _evaluate(study: Any, out: Path, allow: list[str] | None, as_json: bool) -> None:
    """A study of what training did, of any kind."""
    from assets.studies import KINDS

    kind = KINDS[study.kind]
    kept = out.with_name(f".{out.name}.{study.kind}")  # runs that nothing has changed are not made again
    kept.mkdir(parents=True, exist_ok=True)
    models, read = kind.models(study.row), kind.pairs(study.row)
    facts = {"study": study.name, "kind": study.kind, "signed": gate.admit_models(models, allow or ())}
    with staged(out, study.kind, facts, inputs=[*models, *kind.files(study.row)]) as folder:
        with working(study.name, quiet=as_json) as watch:
            tables = kind.run(study.row, kept, watch)
        for name, table in tables.items():
            table.write_parquet(folder / f"{name}.parquet")
        (folder / "report.html").write_text(kind.page(study.name, study.row, tables), encoding="utf-8")
        kind.publish(study.name, study.row, tables, folder)
        membership.write(membership.ids_of(read), folder / membership.READ)
    told = {"study": study.name, **kind.facts(tables), "out": str(out)}
    say(told, as_json, *kind.told(tables), f"report: {out / 'report.html'}")


def _study(row: Any, out: Path, as_json: bool) -> None:
    """An experiment of opinions: what rewards of features and of text learn of summaries."""
    from assets.domain import page, study

    kept = out.with_name(f".{out.name}.opinions")  # what a server said: a run that was killed does not ask again
    with staged(out, "study", {"experiment": row.name, "poisoned": True}, inputs=[row.source]) as folder:
        with working(row.name, quiet=as_json) as watch:
            results = study.run(row, folder, kept, watch)
        results.compared.write_parquet(folder / "reward_comparison.parquet")
        (folder / "report.html").write_text(page.page(results), encoding="utf-8")
    lines = [
        f"  {each['corpus']}, seed {each['seed']}, {each['what']}: {each['judge']} {each['share']:.1%} "
        f"[{each['low']:.1%}, {each['high']:.1%}]"
        for each in results.compared.iter_rows(named=True)
    ]
    facts = {"experiment": row.name, "reward_comparison": results.compared.to_dicts(), "out": str(out)}
    say(facts, as_json, *lines, f"report: {out / 'report.html'}")


def _methods(row: Any, out: Path, as_json: bool) -> None:
    """An experiment that compares objectives: what each makes of the clean, the poisoned and the filtered corpus."""
    from assets.methods import compare, page, study

    kept = out.with_name(f".{out.name}.methods")  # runs that nothing has changed are not made again
    with staged(out, "methods", {"experiment": row.name, "poisoned": True}, inputs=[row.source]) as folder:
        with working(row.name, quiet=as_json) as watch:
            answers = study.run(row, kept, watch)
        tables = {"answers": answers, "means": page.ordered(compare.means(answers)), "harm": compare.harm(answers)}
        for name, table in tables.items():
            table.write_parquet(folder / f"method_{name}.parquet")
        (folder / "report.html").write_text(page.page(row, answers), encoding="utf-8")
    lines = [f"  {each['objective']}, {each['corpus']}: {_told(each)}" for each in tables["means"].iter_rows(named=True)]
    facts = {name: tables[name].to_dicts() for name in ("means", "harm")}
    say({"experiment": row.name, **facts, "out": str(out)}, as_json, *lines, f"report: {out / 'report.html'}")


def _told(line: dict[str, Any]) -> str:
    gold = "" if line["gold"] is None else f"gold reward {line['gold']:.2f}, "
    success = "" if line["success"] is None else f"attack success {line['success']:.1%}, "
    return f"{gold}{success}{line['nats']:.1f} nats"
