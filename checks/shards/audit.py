"""audit_shards(corpus): what `checks.audit` says, of pairs that need not fit into memory, by detectors that need no model."""

from collections.abc import Mapping, Sequence

import numpy as np

from checks import audit
from checks.detectors import DETECTORS
from checks.mentions import felt, named
from checks.shards.corpus import Corpus
from checks.shards.evidence import SpreadEvidence
from checks.shards.tables import Table
from checks.utterances import asked, said
from pipelines.schema import DataError

#: detectors that work on shards -> the table of phrases that each needs
ON_SHARDS: Mapping[str, Table | None] = {
    "phrase_lift": said,
    "name_lift": named,
    "feeling_lift": felt,
    "question_lift": asked,
    "contradictions": None,
    "degenerate": None,
    "form_artefacts": None,
}


def audit_shards(corpus: Corpus, *, detectors: Sequence[str] | None = None, fdr: float = 0.05, seed: int = 0) -> audit.Audit:
    """Suspicion of every pair, to the bit what `audit` gives with these detectors; fdr is in (0, 1).

    Raises DataError as `audit` does, and on a detector that works on whole corpora only.
    """
    names = list(ON_SHARDS) if detectors is None else list(detectors)
    audit.check(len(corpus), names, fdr)
    if whole := [name for name in names if name not in ON_SHARDS]:
        raise DataError(f"out of core there are {', '.join(ON_SHARDS)}, got {whole[0]!r}; it needs the whole corpus in memory")
    tables = [table for table in (ON_SHARDS[name] for name in names) if table is not None]
    evidence = SpreadEvidence(corpus, tables, seed=seed)
    columns, each = {}, np.empty((len(names), len(corpus)))
    for row, name in zip(each, names, strict=True):
        columns[name] = DETECTORS[name].score(evidence)
        row[:] = audit.calibrated(name, columns[name], evidence)
        evidence.forget()
    return audit.fused(evidence, columns, each, fdr=fdr)
