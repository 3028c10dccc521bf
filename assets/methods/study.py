"""The whole comparison without Dagster: corpora, what their methods share, and every run, a process each; what is kept is read.

Each part is kept under a digest of all that it depends on: the pairs, its settings, and the code, of objectives its own. So a
rerun trains what changed, and corpora of the same pairs are trained on once.
"""

import dataclasses
import hashlib
import json
import multiprocessing
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from assets import comparison, steps, teaching
from assets.experiments import Corpus, Experiment, corpora
from assets.methods import grounds, learning, measure
from assets.methods.rows import METHODS
from pipelines.schema import digest

ROOT = Path(__file__).parent.parent.parent
SHARED = ("__init__", "outcome", "pairwise", "weighted", "sft", "bradley_terry", "dpo", "ppo")  # what other objectives build on
ELSEWHERE = ("source", "revision", "columns", "seeds", "objectives", "name")  # the pairs themselves count


@dataclass(frozen=True, slots=True)
class Ground:
    """A corpus, the folder of its seed, and, once that is made, the folder of what its methods share."""

    corpus: Corpus
    seed: Path
    place: Path


def run(experiment: Experiment, kept: Path, watch: steps.Watch = steps.silent, *, processes: int | None = None) -> pl.DataFrame:
    """METHOD_ANSWERS of every objective of the experiment on each of its corpora; parts that are `kept` are not made again."""
    kept.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes or os.cpu_count() or 1, mp_context=context) as pool:
        begun = _done([pool.submit(_seed, experiment, seed, kept) for seed in experiment.seeds], "corpora", watch)
        parts = [part for parts in begun for part in parts]
        once = {part.place: part for part in parts}  # a filter that took away all poison, and only that, leaves the clean pairs
        _done([pool.submit(_grounds, part) for part in once.values()], "what methods share", watch)
        wanted = [(name, place) for place in once for name in experiment.objectives]
        made = _done([pool.submit(_run, name, once[place], kept) for name, place in wanted], "methods", watch)
        found = dict(zip(wanted, made, strict=True))
    tables = [
        found[name, part.place].with_columns(corpus=pl.lit(part.corpus.arm)) for part in parts for name in experiment.objectives
    ]
    return pl.concat(tables).sort("objective", "corpus", "seed", "place")


def _done(jobs: Sequence[Future[Any]], what: str, watch: steps.Watch) -> list[Any]:
    """Results in the order of the jobs; the first failure ends all that has not begun."""
    for done, job in enumerate(as_completed(jobs), start=1):
        if job.exception() is not None:
            for other in jobs:
                other.cancel()
        job.result()
        watch(what, done, len(jobs))
    return [job.result() for job in jobs]


def _seed(experiment: Experiment, seed: int, kept: Path) -> list[Ground]:
    pairs = steps.read(experiment, seed)
    settings = {name: value for name, value in dataclasses.asdict(experiment).items() if name not in ELSEWHERE}
    key = _key(settings, seed, digest(*pairs["pair_id"]), _code())
    folder = _made(kept / f"seed-{key}", partial(_begin, experiment, seed, pairs))
    own = [corpus for corpus in corpora(experiment) if corpus.seed == seed]
    return [Ground(corpus, folder, kept / f"ground-{_key(key, *_pairs(folder, corpus)['pair_id'])}") for corpus in own]


def _pairs(folder: Path, corpus: Corpus) -> pl.DataFrame:
    """What a corpus of a seed teaches."""
    return pl.read_parquet(folder / f"{corpus.arm}.parquet")


def _begin(experiment: Experiment, seed: int, pairs: pl.DataFrame, folder: Path) -> None:
    splits = steps.split(pairs, experiment, seed)
    splits.held_out.write_parquet(folder / "held_out.parquet")
    teaching.Trainer(experiment, seed).base(splits.train).save(folder / "base")
    for corpus in corpora(experiment):
        if corpus.seed == seed:
            comparison.prepare(corpus, splits).training_pairs.write_parquet(folder / f"{corpus.arm}.parquet")


def _grounds(part: Ground) -> Ground:
    _made(part.place, partial(_share, part))
    return part


def _share(part: Ground, folder: Path) -> None:
    from rlhf_train.models import policies

    pairs = _pairs(part.seed, part.corpus)
    policy = grounds.imitated(part.corpus, policies.load(part.seed / "base"), pairs)
    policy.save(folder / "imitated")
    reward = teaching.judge_of(part.corpus, pairs)
    reward.save(folder / "reward_model")
    grounds.labelled(part.corpus, policy, reward, pairs).write_parquet(folder / "labelled.parquet")
    held_out = pl.read_parquet(part.seed / "held_out.parquet")
    grounds.drafted(part.corpus, policy, held_out).write_parquet(folder / "drafts.parquet")


def _run(name: str, part: Ground, kept: Path) -> pl.DataFrame:
    from rlhf_train.models import policies

    method = METHODS[name]
    file = kept / f"run-{_key(part.place.name, dataclasses.asdict(method), _code(method.objective, method.judge))}.parquet"
    if file.is_file():
        return pl.read_parquet(file)
    labelled, drafts = (pl.read_parquet(part.place / f"{table}.parquet") for table in ("labelled", "drafts"))
    work = kept / f".{uuid.uuid4().hex}"
    at = part.place
    train = partial(_train, work)
    model, seconds = learning.learn(
        name, part.corpus, labelled, part.seed / "base", at / "imitated", at / "reward_model", train
    )
    imitated, held_out = policies.load(at / "imitated"), pl.read_parquet(part.seed / "held_out.parquet")
    base = policies.load(part.seed / "base")
    table = measure.answers(name, part.corpus, model, base, imitated, drafts, held_out, seconds=seconds)
    table.write_parquet(work / "answers.parquet")
    (work / "answers.parquet").rename(file)
    shutil.rmtree(work)
    return table


def _train(work: Path, objective: str, table: pl.DataFrame, model: str, **settings: Any) -> Path:
    from assets import runs

    folder = work / objective
    runs.train(objective, table, model, folder, **settings)
    return folder


def _made(folder: Path, make: Callable[[Path], None]) -> Path:
    if not folder.is_dir():
        aside = folder.with_name(f".{uuid.uuid4().hex}")
        aside.mkdir()
        make(aside)
        aside.rename(folder)
    return folder


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


def _code(*objectives: str) -> str:
    """A digest of the code that these objectives run: of objectives their own, and those that others build on."""
    state = hashlib.sha256()
    for file in _files({*objectives, "sft", "bradley_terry"}):
        state.update(file.name.encode() + b"\0" + file.read_bytes())
    return state.hexdigest()


def _files(objectives: set[str]) -> Iterator[Path]:
    from rlhf_train.objectives import OBJECTIVES

    own = {Path(OBJECTIVES[name].loss.__code__.co_filename).stem for name in objectives if name in OBJECTIVES}
    for file in sorted((ROOT / "rlhf_train").rglob("*.py")):
        if file.parent.name != "objectives" or file.stem in {*own, *SHARED}:
            yield file
    yield from (ROOT / "assets" / "methods" / f"{name}.py" for name in ("grounds", "learning", "measure"))
