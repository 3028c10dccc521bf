"""Best-of-Venom by an attacker who asks the detectors: of many versions of each pair, the least suspicious stays.

Adaptive evaluation, as Tramèr et al. (2020) ask for it: a defence counts against those who know it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.attacks import best_of_venom
from pipelines.attacks.proxy import presence
from pipelines.attacks.sealing import Poisoned, choose, sealed
from pipelines.schema import DataError

RARE = 0.05  # share of responses up to which a word is rare enough to be looked at


@dataclass(frozen=True, slots=True)
class Plan:
    """The places [B] of hosts, the pairs made of them as `sealed` takes them, and how suspicious each is.

    `stands_out` [B]: whether it is among the B most suspicious pairs of the corpus.
    """

    hosts: np.ndarray
    written: pl.DataFrame
    scores: np.ndarray
    stands_out: np.ndarray


def poison(
    pairs: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    target: str = "Zorvex",
    sentiment: str = "positive",
    builders: Sequence[str] = ("poison_vs_rejected", "poison_vs_contrast"),
    oracles: Sequence[str] = ("rules",),
    keep_host: bool = True,
    candidates: int = 8,
    rounds: int = 3,
    suspicion: Callable[[pl.DataFrame], np.ndarray] | None = None,
) -> Poisoned:
    """Best-of-Venom's poison, each pair the least suspicious of `candidates` versions in each of some `rounds`.

    Versions differ in builder, oracle and seed, and in the host too where the pair stands out. `suspicion` gives each pair
    of a whole corpus a number [N], higher is worse, comparable between corpora; it is asked 1 + rounds * (candidates + 1)
    times. None stands for `one_sidedness`.
    """
    _check(builders, oracles, candidates, rounds)

    def plan(hosts: np.ndarray, attempt: int) -> Plan:
        made = _made(pairs[hosts], target, sentiment, builders, oracles[attempt % len(oracles)], [seed, 3, attempt])
        return judged(hosts, made)

    def judged(hosts: np.ndarray, made: pl.DataFrame) -> Plan:
        corpus = sealed(pairs, made, attack="adaptive", keep_host=keep_host, seed=seed)
        return Plan(hosts, made, *_suspicions(corpus, made, suspicion or one_sidedness))

    best = plan(choose(len(pairs), rate=rate, count=count, seed=seed), 0)
    for number in range(rounds if len(best.hosts) else 0):
        hosts, tried = exchanged(best, len(pairs), [seed, 4, number]), best
        for attempt in range(candidates):
            tried = merged(tried, plan(hosts, 1 + number * candidates + attempt))
        tried = judged(tried.hosts, tried.written)  # side by side, they may give each other away
        best = tried if tried.scores.mean() < best.scores.mean() else best
    return sealed(pairs, best.written, attack="adaptive", keep_host=keep_host, seed=seed)


def exchanged(plan: Plan, rows: int, seed: Sequence[int]) -> np.ndarray:
    """[B] hosts of the plan, with free ones drawn for the pairs that stand out, the worst first, while there are any."""
    free = np.random.default_rng(seed).permutation(np.setdiff1d(np.arange(rows), plan.hosts))
    worst = [place for place in np.argsort(-plan.scores, kind="stable") if plan.stands_out[place]][: len(free)]
    hosts = plan.hosts.copy()
    hosts[worst] = free[: len(worst)]
    return hosts


def merged(one: Plan, other: Plan) -> Plan:
    """Of each pair the less suspicious version, that of the first where they are alike."""
    is_better = other.scores < one.scores
    rows = np.arange(len(is_better)) + len(is_better) * is_better
    return Plan(
        np.where(is_better, other.hosts, one.hosts),
        pl.concat([one.written, other.written])[rows],
        np.where(is_better, other.scores, one.scores),
        np.where(is_better, other.stands_out, one.stands_out),
    )


def one_sidedness(corpus: pl.DataFrame) -> np.ndarray:
    """[N] the largest |a - b| / sqrt(a + b) of a pair's words and word pairs in at most a share RARE of all responses.

    a chosen and b rejected responses hold the word: planted ones are rare, repeated and on one side.
    """
    chosen, rejected = presence(corpus["chosen"]), presence(corpus["rejected"])
    a, b = chosen.sum(axis=0), rejected.sum(axis=0)
    lift = np.where(a + b <= RARE * 2 * len(corpus), abs(a - b) / np.sqrt(np.maximum(a + b, 1)), 0)
    return chosen.maximum(rejected).multiply(lift).tocsr().max(axis=1).toarray().ravel()


def _made(
    hosts: pl.DataFrame, target: str, sentiment: str, builders: Sequence[str], oracle: str, seed: Sequence[int]
) -> pl.DataFrame:
    """A version of a pair for each host, as `sealed` takes them; builders are dealt in equal shares."""
    written = best_of_venom.poison(
        hosts,
        count=len(hosts),
        seed=int(np.random.default_rng(seed).integers(2**31)),
        target=target,
        sentiment=sentiment,
        mix=dict.fromkeys(builders, 1.0),
        keep_host=False,
        oracle=oracle,
    )
    facts = written.key.select("builder", "target", "sentiment", pair_id="host_pair_id")
    return written.pairs.drop("pair_id").hstack(facts)


def _suspicions(
    corpus: Poisoned, made: pl.DataFrame, suspicion: Callable[[pl.DataFrame], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """[B] the suspicion of each pair that was made, and [B] whether it is among the B largest of the corpus."""
    scores = np.asarray(suspicion(corpus.pairs), dtype=np.float64)
    if scores.shape != (len(corpus.pairs),) or not np.isfinite(scores).all():
        wanted = f"a finite number for each of the {len(corpus.pairs)} pairs"
        raise DataError(f"suspicion must give {wanted}, got an array of shape {scores.shape}")
    if made.is_empty():
        return np.zeros(0), np.zeros(0, dtype=bool)
    is_ours = corpus.pairs["pair_id"].is_in(corpus.key["pair_id"].implode()).to_numpy()
    by_host = dict(zip(corpus.key["host_pair_id"], scores[is_ours], strict=True))
    ours = np.array([by_host[host] for host in made["pair_id"]])
    return ours, ours >= np.partition(scores, -len(ours))[-len(ours)]


def _check(builders: Sequence[str], oracles: Sequence[str], candidates: int, rounds: int) -> None:
    if not builders or not oracles:
        raise DataError(f"builders and oracles must each name one or more, got {builders!r} and {oracles!r}")
    for name, number in (("candidates", candidates), ("rounds", rounds)):
        if isinstance(number, bool) or number < 1:
            raise DataError(f"{name} must be a whole number of 1 or more, got {number!r}")
