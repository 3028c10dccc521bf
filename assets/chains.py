"""Which whole-chain jobs make again what recalled pairs reached in the store."""

from collections.abc import Iterable
from dataclasses import dataclass

from assets.experiments import Experiment
from assets.partitions import BASES, CORPORA, EXPERIMENTS, GROUPS, RUNS

COMPARED = ("method_model", "method_answers", "labelled_pairs", "drafted_answers", "methods_report")


@dataclass(frozen=True, slots=True)
class Chain:
    """A job and the experiment that it is launched for."""

    job: str
    experiment: str


def of_names(names: Iterable[str]) -> list[Chain]:
    """The chains of refs such as poisoned/training_pairs/PARTITION, each once, in the order of their names."""
    found = set()
    for name in names:
        _, asset, partition = name.split("/")
        row = _experiment(partition)
        if row is not None:
            found.add(Chain(_job(row, asset), row.name))
    return sorted(found, key=lambda chain: (chain.experiment, chain.job))


def _job(row: Experiment, asset: str) -> str:
    if row.opinions is not None:
        return "domain_job"
    return "methods_job" if asset in COMPARED else "venom_job"


def _experiment(partition: str) -> Experiment | None:
    if partition in RUNS:
        return RUNS[partition][1].experiment
    if partition in GROUPS:
        return BASES[GROUPS[partition][0]].experiment
    corpus = CORPORA.get(partition) or BASES.get(partition)
    return corpus.experiment if corpus is not None else EXPERIMENTS.get(partition)
