"""Levels of pairs by shards: whether a pair is degenerate is seen in it alone; what contradicts it may lie in any shard."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from checks.detectors import contradictions as pairwise
from checks.detectors import degenerate as single
from checks.engines import each
from checks.evidence import Evidence
from checks.keys import located
from checks.shards.corpus import Corpus, read
from checks.shingles import mixed

SEED = 31  # of the digests of a side


def degenerate(corpus: Corpus) -> np.ndarray:
    """[N] as checks.detectors.degenerate has them."""
    return corpus.dealt_back(each(_degenerate, corpus.shards))


def contradictions(corpus: Corpus) -> np.ndarray:
    """[N] as checks.detectors.contradictions has them, of sides that are told apart by digests of 64 bits."""
    chosen, rejected = (corpus.dealt_back(part) for part in _columns(list(each(_sides, corpus.shards))))
    apart = chosen != rejected
    either = _among(chosen, rejected[apart]) | _among(rejected, chosen[apart])
    opposite = _among(_joined(chosen, rejected), _joined(rejected, chosen)[apart])
    return np.select([~apart, opposite, either], [0.0, 2.0, 1.0], 0.0)


def _degenerate(shard: Path) -> np.ndarray:
    return single.levels(Evidence(read(shard, "prompt", "chosen", "rejected")))


def _sides(shard: Path) -> tuple[np.ndarray, np.ndarray]:
    sides = pairwise.sides(read(shard, "prompt", "chosen", "rejected", "rejected_prompt"))
    return sides["chosen"].hash(SEED).to_numpy(), sides["rejected"].hash(SEED).to_numpy()


def _columns(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[list[np.ndarray]]:
    return [[part[at] for part in parts] for at in range(2)]


def _among(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    return located(values, np.sort(others))[1]


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return mixed(first) + second
