"""The experiments as partitions: clean rows by base, corpora by arm, reports by experiment, and the mappings between.

A row whose name can't be a folder, or whose partitions another row already has, is refused; the rest stand.
"""

import re

import dagster as dg

from assets.experiment_files import all_experiments
from assets.experiments import Corpus, Experiment, corpora

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")  # a partition is a folder: no separators, no dots in front


def accepted(rows: dict[str, Experiment]) -> tuple[dict[str, Experiment], list[str]]:
    """The rows that can stand beside one another as partitions, and what is wrong with the others."""
    kept: dict[str, Experiment] = {}
    refused: list[str] = []
    for name, row in rows.items():
        taken = {corpus.base for other in kept.values() for corpus in corpora(other)}
        shared = sorted(taken & {corpus.base for corpus in corpora(row)})
        if not NAME.fullmatch(name):
            refused.append(f"[{name!r}]: a name is letters, digits, _ . and -, at most 100, no . or - first; rename the row")
        elif shared:
            refused.append(f"[{name}]: another row already makes {shared[0]!r}; rename one of them")
        else:
            kept[name] = row
    return kept, refused


_rows, _wrong = all_experiments()
EXPERIMENTS, _misnamed = accepted(_rows)
REFUSED = [*_wrong, *_misnamed]
CORPORA: dict[str, Corpus] = {corpus.name: corpus for row in EXPERIMENTS.values() for corpus in corpora(row)}
BASES: dict[str, Corpus] = {corpus.base: corpus for corpus in CORPORA.values() if corpus.arm == corpus.experiment.arms[0]}

#: the bases of experiments of opinions, and the parts in which their summaries are written, by name: (base, place)
OPINIONS: dict[str, Corpus] = {name: base for name, base in BASES.items() if base.experiment.opinions is not None}
GROUPS: dict[str, tuple[str, int]] = {
    f"{name}-{at + 1}of{base.experiment.opinions.groups}": (name, at)
    for name, base in OPINIONS.items()
    if base.experiment.opinions is not None
    for at in range(base.experiment.opinions.groups)
}
JUDGED: dict[str, Corpus] = {name: corpus for name, corpus in CORPORA.items() if corpus.base in OPINIONS}

#: corpora whose objectives are compared, and their runs by name: (row of METHODS, corpus)
COMPARED: dict[str, Corpus] = {name: corpus for name, corpus in CORPORA.items() if corpus.experiment.objectives}
RUNS: dict[str, tuple[str, Corpus]] = {
    f"{method}-{name}": (method, corpus) for name, corpus in COMPARED.items() for method in corpus.experiment.objectives
}

by_base = dg.StaticPartitionsDefinition(list(BASES))
by_corpus = dg.StaticPartitionsDefinition(list(CORPORA))
by_experiment = dg.StaticPartitionsDefinition(list(EXPERIMENTS))
by_opinions = dg.StaticPartitionsDefinition(list(OPINIONS))
by_group = dg.StaticPartitionsDefinition(list(GROUPS))
by_judged = dg.StaticPartitionsDefinition(list(JUDGED))
by_study = dg.StaticPartitionsDefinition([name for name, row in EXPERIMENTS.items() if row.opinions is not None])
by_compared = dg.StaticPartitionsDefinition(list(COMPARED))
by_run = dg.StaticPartitionsDefinition(list(RUNS))
by_comparison = dg.StaticPartitionsDefinition([name for name, row in EXPERIMENTS.items() if row.objectives])

#: a corpus is made from its base, which its twins share
from_base = dg.StaticPartitionMapping(
    {base: {corpus.name for corpus in CORPORA.values() if corpus.base == base} for base in BASES}
)
#: an experiment is told from all its corpora
from_corpora = dg.StaticPartitionMapping({corpus.name: corpus.experiment.name for corpus in CORPORA.values()})
#: summaries of a group are of the reviews of its base, and all groups of a base are one corpus of summaries
to_groups = dg.StaticPartitionMapping({name: {part for part, (base, _) in GROUPS.items() if base == name} for name in OPINIONS})
from_groups = dg.StaticPartitionMapping({part: base for part, (base, _) in GROUPS.items()})
#: clean pairs of other experiments come from no reviews
same_base = dg.StaticPartitionMapping({name: name for name in OPINIONS})
#: rewards of features are of corpora of summaries only, which share what their base holds
from_opinions = dg.StaticPartitionMapping(
    {base: {name for name, corpus in JUDGED.items() if corpus.base == base} for base in OPINIONS}
)
same_corpus = dg.StaticPartitionMapping({name: name for name in JUDGED})
#: a report is of all that its experiment has
corpora_of_study = dg.StaticPartitionMapping({name: corpus.experiment.name for name, corpus in JUDGED.items()})
bases_of_study = dg.StaticPartitionMapping({name: base.experiment.name for name, base in OPINIONS.items()})
#: an objective learns of one corpus; what it shares with others is of that corpus, or of its base
corpus_of_compared = dg.StaticPartitionMapping({name: name for name in COMPARED})
base_of_compared = dg.StaticPartitionMapping(
    {base: {name for name, corpus in COMPARED.items() if corpus.base == base} for base in BASES}
)
compared_of_run = dg.StaticPartitionMapping(
    {name: {run for run, (_, corpus) in RUNS.items() if corpus.name == name} for name in COMPARED}
)
corpus_of_run = compared_of_run
base_of_run = dg.StaticPartitionMapping(
    {base: {run for run, (_, corpus) in RUNS.items() if corpus.base == base} for base in BASES}
)
runs_of_comparison = dg.StaticPartitionMapping({run: corpus.experiment.name for run, (_, corpus) in RUNS.items()})
