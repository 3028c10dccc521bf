"""antivenom: the main job from a command line, without Dagster. Exit codes: 0 nothing flagged, 3 flagged, 2 unusable input."""

import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from pipelines.schema import DataError
from pipelines.snapshots import staged
from pipelines.sources import records

FLAGGED, UNUSABLE = 3, 2

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

Source = Annotated[
    str,
    typer.Argument(metavar="INPUT", help="a .jsonl, .jsonl.gz, .json, .csv or .parquet file, a folder of them, or a hub name"),
]
Data = Annotated[str, typer.Option("--data", help="preference pairs, as INPUT of the other commands")]
Out = Annotated[Path, typer.Option("--out", help="folder to publish into; made whole or not at all")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]
Columns = Annotated[str, typer.Option("--map", help="our columns from yours: prompt=question,chosen=best")]
Revision = Annotated[str | None, typer.Option(help="the commit a hub data set was checked at")]
Shape = Annotated[str, typer.Option("--format", help="auto, dialogues, triples or conversations")]
Rejects = Annotated[bool, typer.Option("--allow-rejects", help="go on without rows that are no pairs; they are listed")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="key=value, as often as needed")]


@app.command()
def audit(
    source: Source,
    out: Out,
    shape: Shape = "auto",
    fdr: float = 0.05,
    detectors: Annotated[str | None, typer.Option(help="names, with commas between; all by default")] = None,
    trusted: Annotated[str | None, typer.Option(help="pairs of the same kind that no attacker could touch")] = None,
    columns: Columns = "",
    revision: Revision = None,
    allow_rejects: Rejects = False,
    as_json: AsJson = False,
) -> None:
    """Scores every pair; writes scores.parquet, findings.json and report.html."""
    from assets import report
    from checks.audit import audit as judge

    found = _read(source, shape, columns, revision, allow_rejects, quiet=as_json)
    reference = None if trusted is None else _read(trusted, shape, columns, revision, allow_rejects, quiet=True).pairs
    with _working("auditing", quiet=as_json):
        names = None if detectors is None else detectors.split(",")
        result = judge(found.pairs, trusted=reference, detectors=names, fdr=fdr)
    flagged = int(result.scores["is_flagged"].sum())
    facts = {"input": source, "format": found.shape, "pairs": len(found.pairs), "flagged": flagged, "fdr": fdr}
    with staged(out, kind="audit", **facts) as folder:
        result.scores.write_parquet(folder / "scores.parquet")
        page = report.audit_page(source, found.pairs, result.scores, result.findings, found.rejects, fdr)
        (folder / "report.html").write_text(page, encoding="utf-8")
        listed = {**facts, "findings": result.findings, "rejects": found.rejects.to_dicts()}
        _write_json(folder / "findings.json", listed)
        if len(found.rejects):
            found.rejects.write_parquet(folder / "rejects.parquet")
    top = [f"  {finding['pairs']:,} pairs: {finding['reason']}" for finding in result.findings[:5]]
    _say(
        {**facts, "findings": result.findings, "out": str(out)},
        as_json,
        f"{flagged:,} of {len(found.pairs):,} pairs flagged",
        *top,
        f"report: {out / 'report.html'}",
    )
    raise typer.Exit(FLAGGED if flagged else 0)


@app.command()
def poison(
    source: Source,
    out: Out,
    attack: Annotated[str, typer.Option(help="a name in ATTACKS")] = "best_of_venom",
    rate: Annotated[float, typer.Option(help="share of the pairs, in [0, 1]")] = 0.01,
    seed: int = 0,
    settings: Settings = None,
    shape: Shape = "auto",
    columns: Columns = "",
    revision: Revision = None,
    allow_rejects: Rejects = False,
    as_json: AsJson = False,
) -> None:
    """Poisons pairs, for defence research; writes pairs.parquet and, apart from it, poison_key.parquet."""
    from pipelines.attacks import ATTACKS

    if attack not in ATTACKS:
        raise DataError(f"attack must be one of {', '.join(ATTACKS)}, got {attack!r}")
    found = _read(source, shape, columns, revision, allow_rejects, quiet=as_json)
    numbers = _settings(settings)
    with _working("poisoning", quiet=as_json):
        result = _called(ATTACKS[attack], found.pairs, rate=rate, seed=seed, **numbers)
    facts = {
        "input": source,
        "attack": attack,
        "rate": rate,
        "seed": seed,
        "settings": numbers,
        "poisoned": True,
        "pairs": len(result.pairs),
        "poisoned_pairs": len(result.key),
    }
    with staged(out, kind="poisoned pairs", **facts) as folder:
        result.pairs.write_parquet(folder / "pairs.parquet", metadata={"antivenom": "poisoned"})
        result.key.write_parquet(folder / "poison_key.parquet", metadata={"antivenom": "poison key"})
    _say(
        {**facts, "out": str(out)},
        as_json,
        f"{len(result.key):,} of {len(result.pairs):,} pairs are poisoned: {out / 'pairs.parquet'}",
        f"the sealed key: {out / 'poison_key.parquet'}",
    )


@app.command("filter")
def filter_(
    source: Source,
    scores: Annotated[Path, typer.Option(help="the folder an audit of this input wrote")],
    out: Out,
    fdr: Annotated[float | None, typer.Option(help="another false-discovery rate than the audit's")] = None,
    budget: Annotated[float | None, typer.Option(help="the share of pairs to set aside, the most suspicious first")] = None,
    shape: Shape = "auto",
    columns: Columns = "",
    revision: Revision = None,
    allow_rejects: Rejects = False,
    as_json: AsJson = False,
) -> None:
    """Sets suspicious pairs aside; writes kept.parquet, quarantined.parquet and manifest.json."""
    from pipelines.filtering import quarantine
    from pipelines.snapshots import verify

    found = _read(source, shape, columns, revision, allow_rejects, quiet=as_json)
    verify(scores)
    result = quarantine(found.pairs, pl.read_parquet(scores / "scores.parquet"), fdr=fdr, budget=budget)
    facts = {
        "input": source,
        "scores": str(scores),
        "fdr": fdr,
        "budget": budget,
        "kept": len(result.kept),
        "quarantined": len(result.quarantined),
    }
    with staged(out, kind="filtered pairs", **facts) as folder:
        result.kept.write_parquet(folder / "kept.parquet")
        result.quarantined.write_parquet(folder / "quarantined.parquet")
    _say(
        {**facts, "out": str(out)},
        as_json,
        f"{len(result.kept):,} pairs kept, {len(result.quarantined):,} set aside: {out}",
    )


@app.command()
def verify(folder: Annotated[Path, typer.Argument(help="a folder that antivenom published")], as_json: AsJson = False) -> None:
    """Compares every file of a published folder with the digest in its manifest."""
    from pipelines import snapshots

    found = snapshots.verify(folder)
    _say(
        {"folder": str(folder), "files": len(found["files"])},
        as_json,
        f"{len(found['files'])} files are as they were published",
    )


@app.command()
def train(
    objective: Annotated[str, typer.Argument(help="a name in OBJECTIVES: sft, bradley_terry")],
    data: Data,
    out: Out,
    model: Annotated[
        str,
        typer.Option(help="folder or hub name; 'tiny' makes a policy of the data's text, 'minilm' is a reward body"),
    ] = "",
    spec: Annotated[Path | None, typer.Option(help="a TOML file of settings; --set goes over it")] = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """One training run: a policy on the chosen responses (sft), or a reward model on the pairs (bradley_terry)."""
    from assets import runs

    pairs = _read(data, "auto", "", None, False, quiet=as_json).pairs
    numbers = {**_spec(spec), **_settings(settings)}
    published = staged(out, kind=objective, data=data, model=model, settings=numbers)
    with published as folder, _working(objective, quiet=as_json) as watch:
        history = _called(runs.train, objective, pairs, model, folder, watch=watch, **numbers)
    facts = {"objective": objective, "steps": len(history), "loss": history[-1]["loss"], "out": str(out)}
    _say(facts, as_json, f"{len(history):,} steps, last loss {history[-1]['loss']:.4f}: {out}")


@app.command("eval")
def eval_(
    name: Annotated[str, typer.Argument(help="a name in EVALS: attack_success, reward_accuracy")],
    model: Annotated[str, typer.Option(help="folder of a trained model")],
    data: Data,
    out: Out,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Measures one thing about a trained model on held-out pairs; writes result.json."""
    from assets import runs

    pairs = _read(data, "auto", "", None, False, quiet=as_json).pairs
    numbers = _settings(settings)
    with staged(out, kind=name, data=data, model=model, settings=numbers) as folder:
        with _working(name, quiet=as_json):
            found = _called(runs.evaluate, name, pairs, model, **numbers)
        _write_json(folder / "result.json", found)
    _say({**found, "out": str(out)}, as_json, ", ".join(f"{key} {value:.4g}" for key, value in found.items()))


@app.command()
def experiment(
    row: Annotated[str, typer.Argument(help="name of an experiment")],
    out: Out = Path("experiment"),
    file: Annotated[Path | None, typer.Option(help="a TOML file of your own rows")] = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Poison, audit, filter, train and report for one row."""
    from assets import experiments

    rows, refused = experiments.all_experiments() if file is None else experiments.load(file)
    for line in refused:
        typer.echo(f"antivenom: refused {line}", err=True)
    if row not in rows:
        raise DataError(f"no experiment {row!r}; there are {', '.join(rows) or 'none'}")
    _compare(experiments.changed(rows[row], _settings(settings)), out, as_json)


@app.command()
def demo(out: Out = Path("demo"), as_json: AsJson = False) -> None:
    """The main job on generated pairs: build, poison, audit, filter, train, report."""
    from assets.experiments import EXPERIMENTS

    _compare(EXPERIMENTS["venom_poison_vs_rejected_3pct"], out, as_json)


def _compare(row: Any, out: Path, as_json: bool) -> None:
    from assets import comparison, report

    with staged(out, kind="experiment", experiment=row.name, poisoned=True) as folder:
        with _working(row.name, quiet=as_json) as watch:
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
    ]
    facts = {
        "experiment": row.name,
        "attack_success": results.attack_success.to_dicts(),
        "flags": results.flags.to_dicts(),
        "detection": results.detection.to_dicts(),
        "reward_accuracy": results.reward_accuracy.to_dicts(),
        "out": str(out),
    }
    _say(facts, as_json, *lines, f"report: {out / 'report.html'}")


def _read(source: str, shape: str, columns: str, revision: str | None, allow_rejects: bool, *, quiet: bool) -> records.Read:
    found = records.read(source, shape=shape, columns=_columns(columns), revision=revision)
    if not allow_rejects:
        found.strict()
    if not quiet:
        from pipelines.sources.shapes import SHAPES

        left_out = f", {len(found.rejects):,} rows left out" if len(found.rejects) else ""
        typer.echo(f"{source}: {len(found.pairs):,} pairs, read as {SHAPES[found.shape].about}{left_out}")
    return found


def _columns(words: str) -> dict[str, str]:
    return dict(_pair(word, "--map") for word in words.split(",") if word)


def _settings(words: list[str] | None) -> dict[str, Any]:
    """{"rounds": 2, "target": "Zorvex"} of ["rounds=2", "target=Zorvex"]: values are JSON where they can be, else text."""
    return {name: _value(value) for name, value in (_pair(word, "--set") for word in words or [])}


def _spec(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{file}: no readable TOML ({error})") from None


def _pair(word: str, option: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not (name and equals):
        raise DataError(f"{option} takes name=value, got {word!r}")
    return name, value


def _value(words: str) -> Any:
    try:
        return json.loads(words)
    except ValueError:
        return words


def _called(function: Any, *args: Any, **settings: Any) -> Any:
    """The call, with a setting that the function does not have refused by name."""
    try:
        return function(*args, **settings)
    except TypeError as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if unknown is None or unknown[1] not in settings:
            raise
        raise DataError(f"--set {unknown[1]}: there is no such setting here; check the spelling") from None


def _write_json(file: Path, facts: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _say(facts: Mapping[str, Any], as_json: bool, *lines: str) -> None:
    typer.echo(json.dumps(facts, ensure_ascii=False) if as_json else "\n".join(lines))


@contextmanager
def _working(what: str, *, quiet: bool) -> Iterator[Any]:
    """A progress bar a step on standard error; gives a watch(step, done, of)."""
    if quiet:
        yield lambda step, done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bars = {what: progress.add_task(what, total=None)}

        def watch(step: str, done: int, of: int) -> None:
            if step not in bars:
                bars[step] = progress.add_task(step, total=of)
            progress.update(bars[step], completed=done, total=of)

        yield watch
        progress.update(bars[what], total=1, completed=1)


def main() -> None:
    """Runs the command line; unusable input is one line on standard error and exit code 2."""
    quiet = {"TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}  # our bars suffice
    for name, value in quiet.items():
        os.environ.setdefault(name, value)
    try:
        app()
    except (DataError, OSError) as error:
        typer.echo(f"antivenom: {error}", err=True)
        sys.exit(UNUSABLE)
