"""One experiment from clean rows to its report, without Dagster: every arm at every seed, an arm a process.

Arms that come to the same training pairs are trained once: where a filter removes what the attack added and nothing else,
the filtered corpus is its clean twin.
"""

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, TypeVar

import polars as pl

from assets import detecting, steps, teaching
from assets.experiments import Corpus, Experiment, corpora
from assets.report import Results
from checks.audit import Audit
from pipelines.attacks import Poisoned
from pipelines.filtering import Filtered

Found = tuple[pl.DataFrame, dict[str, float]]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Prepared:
    """One corpus on its way to training."""

    corpus: Corpus
    poisoned: Poisoned
    audit: Audit | None
    filtered: Filtered | None

    @property
    def training_pairs(self) -> pl.DataFrame:
        return self.poisoned.pairs if self.filtered is None else self.filtered.kept


def run(experiment: Experiment, folder: Path, watch: steps.Watch = steps.silent, *, processes: int | None = None) -> Results:
    """The whole comparison; tables and models are left in `folder`, which must exist."""
    prepared: list[Prepared] = []
    with workers(processes or os.cpu_count() or 1, watch) as work:
        bases = []
        for seed in experiment.seeds:
            splits = steps.split(steps.read(experiment, seed), experiment, seed)
            splits.held_out.write_parquet(folder / f"held_out-seed{seed}.parquet")
            bases.append(work.start(_base, experiment, seed, splits.train, folder / f"base-seed{seed}"))
            for corpus in corpora(experiment):
                if corpus.seed == seed:
                    watch(f"auditing the {corpus.arm} corpus", 0, 1)
                    prepared.append(prepare(corpus, splits))
                    _store(prepared[-1], folder / corpus.name)
        work.results(bases)
        twins = twins_of(prepared)
        own = [item.corpus for item in prepared if item.corpus.name not in twins]
        found = work.results([work.start(_train, corpus, folder) for corpus in own])
    trained = dict(zip((corpus.name for corpus in own), found, strict=True))
    for item in prepared:
        if (twin := twins.get(item.corpus.name)) is not None:
            trained[item.corpus.name] = _again(item.corpus, twin, trained[twin.name], folder)
    return _results(experiment, prepared, trained, twins)


def twins_of(prepared: Sequence[Prepared]) -> dict[str, Corpus]:
    """By name of a corpus the first one that is trained on the same pairs, in the same order and way; others have none."""
    found: dict[str, Corpus] = {}
    for at, item in enumerate(prepared):
        first = next((other.corpus for other in prepared[:at] if _is_same(item, other)), None)
        if first is not None:
            found[item.corpus.name] = first
    return found


def _is_same(one: Prepared, other: Prepared) -> bool:
    """Whether both train alike: `row` says where a pair stood in its source, which is nothing to learn from."""
    if (one.corpus.seed, one.corpus.defence) != (other.corpus.seed, other.corpus.defence):
        return False
    return one.training_pairs.drop("row").equals(other.training_pairs.drop("row"))


def prepare(corpus: Corpus, splits: steps.Splits) -> Prepared:
    """A corpus after its attack and, where it is the filtered one, audit and filter."""
    poisoned = steps.attack(splits.train, corpus)
    if corpus.arm != "filtered":  # the poisoned twin holds the same pairs, so one audit serves both
        return Prepared(corpus, poisoned, None, None)
    found = steps.judge(poisoned.pairs, splits.trusted, corpus)
    return Prepared(corpus, poisoned, found, steps.sift(poisoned.pairs, found.scores, corpus))


def _store(item: Prepared, folder: Path) -> None:
    folder.mkdir()
    item.training_pairs.write_parquet(folder / "training_pairs.parquet")
    if item.audit is not None and item.filtered is not None:
        item.audit.scores.write_parquet(folder / "scores.parquet")
        item.filtered.quarantined.write_parquet(folder / "quarantined.parquet")
    if len(item.poisoned.key):
        item.poisoned.key.write_parquet(folder / "poison_key.parquet")


@dataclass(frozen=True, slots=True)
class Workers:
    """Processes that work side by side; while they are waited for, `watch` hears how far they are."""

    pool: ProcessPoolExecutor
    said: Any
    watch: steps.Watch

    def start(self, call: Callable[..., Value], *arguments: Any) -> "Future[Value]":
        """Begins `call(*arguments, said)` in one of them, as soon as one is free."""
        return self.pool.submit(call, *arguments, self.said)

    def results(self, jobs: Sequence["Future[Value]"]) -> list[Value]:
        """What they return, in order; what one raises is raised as soon as it is, and none begins after."""
        while wait(jobs, timeout=0.5, return_when=FIRST_EXCEPTION).not_done:
            for message in _drained(self.said):
                self.watch(*message)
            for job in jobs:
                if job.done() and job.exception() is not None:
                    self.pool.shutdown(cancel_futures=True)
                    job.result()
        return [job.result() for job in jobs]


@contextmanager
def workers(processes: int, watch: steps.Watch) -> Iterator[Workers]:
    """So many processes."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield Workers(pool, manager.Queue(), watch)


def _drained(said: Any) -> Iterator[tuple[str, int, int]]:
    while True:
        try:
            yield said.get_nowait()
        except Empty:
            return


def _base(experiment: Experiment, seed: int, pairs: pl.DataFrame, folder: Path, said: Any) -> None:
    """The policy that all arms of a seed start from, in a process of its own, while the arms are prepared."""
    teaching.Trainer(experiment, seed, lambda *message: said.put(message)).base(pairs).save(folder)


def _train(corpus: Corpus, folder: Path, said: Any) -> Found:
    """One arm in a process of its own: tables and the base policy are read from `folder`, models are left there."""
    from rlhf_train.models import judges, policies

    pairs = pl.read_parquet(folder / corpus.name / "training_pairs.parquet")
    held_out = pl.read_parquet(folder / f"held_out-seed{corpus.seed}.parquet")
    base = policies.load(folder / f"base-seed{corpus.seed}")
    trained = teaching.train(
        corpus, base, pairs, held_out, lambda what, done, of: said.put((f"{corpus.name}: {what}", done, of))
    )
    trained.policy.save(folder / corpus.name / "policy")
    judges.save(trained.reward, folder / corpus.name / "reward_model")
    return trained.attack_success, trained.reward_accuracy


def _again(corpus: Corpus, twin: Corpus, found: Found, folder: Path) -> Found:
    """What the training of its twin came to, under the name of a corpus of the same pairs."""
    for model in ("policy", "reward_model"):
        shutil.copytree(folder / twin.name / model, folder / corpus.name / model)
    success, accuracy = found
    return success.with_columns(corpus=pl.lit(corpus.arm)), accuracy


def _results(
    experiment: Experiment, prepared: Sequence[Prepared], trained: dict[str, Found], twins: Mapping[str, Corpus]
) -> Results:
    has_flags = [item for item in prepared if len(item.poisoned.key) or not experiment.is_attacked]
    audited = [item for item in has_flags if item.audit is not None]
    first = next((item for item in prepared if item.audit is not None), None)
    accuracy = [{"corpus": item.corpus.arm, "seed": item.corpus.seed, **trained[item.corpus.name][1]} for item in prepared]
    scored = [(item.corpus, item.audit.scores, item.poisoned.key) for item in audited if item.audit]
    return Results(
        experiment,
        attack_success=pl.concat([trained[item.corpus.name][0] for item in prepared]),
        detection=pl.concat([detecting.rates(*each) for each in scored]) if scored else pl.DataFrame(),
        roc=detecting.curves(*scored[0][1:]) if scored else pl.DataFrame(),
        flags=pl.DataFrame([detecting.flags(*each) for each in scored]),
        reward_accuracy=pl.DataFrame(accuracy),
        findings=first.audit.findings if first and first.audit else (),
        quarantined=first.filtered.quarantined if first and first.filtered else pl.DataFrame(),
        twins=[(item.corpus, twins[item.corpus.name]) for item in prepared if item.corpus.name in twins],
    )
