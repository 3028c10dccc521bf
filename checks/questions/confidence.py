"""How sure the label of a question is: a discriminator's probability of the matching answer (Perez et al., 2022, sec. 2.1).

The discriminator at hand is a Bradley-Terry head on sentence embeddings, of hand-written examples or, out of fold, of the
very set in question. Rewards or logits of any other judge become the same number by `of_logits`.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.special import expit, logsumexp

from checks.encoding import Encoder, encode
from checks.preference_model import PENALTY, fit, folds, out_of_fold_margins
from checks.questions.claims import answers, stem, texts
from checks.shingles import normalised
from pipelines.schema import DataError

LEAST = 20  # questions about a behaviour, below which none can be told from the others


def of_logits(matching: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[N] exp(matching) / sum of exp over all answers; matching: [N], others: [N, k] logits, or rewards, in nats."""
    matching, others = np.asarray(matching, dtype=float), np.asarray(others, dtype=float)
    if others.ndim != 2 or matching.shape != others.shape[:1]:
        raise DataError(f"others must be [N, k] beside matching [N], got {others.shape} and {matching.shape}")
    return np.exp(matching - logsumexp(np.column_stack([matching, others]), axis=1))


def out_of_fold(questions: pl.DataFrame, *, encoder: Encoder = encode, penalty: float = PENALTY, seed: int = 0) -> np.ndarray:
    """[N] confidence in each label by a head that learned the behaviour's other questions; nan where there are too few.

    Questions that say the same share a fold, so that no copy vouches for another.
    """
    apart = gaps(questions, encoder=encoder)
    parts = folds(normalised(texts(questions)), seed=seed)
    found = np.full(len(questions), np.nan)
    for places in _by_behaviour(questions):
        told = places[~np.isnan(apart[places]).any(axis=1)]
        if len(told) >= LEAST:
            found[told] = expit(out_of_fold_margins(apart[told], parts[told], penalty=penalty))
    return found


def by_examples(
    questions: pl.DataFrame, gold: pl.DataFrame, *, encoder: Encoder = encode, penalty: float = PENALTY / 10
) -> np.ndarray:
    """[N] confidence in each label by a head that learned the `gold` questions of its behaviour; nan where there are none.

    Both are QUESTIONS; few examples want a lower penalty than a whole set.
    """
    apart, known = gaps(questions, encoder=encoder), gaps(gold, encoder=encoder)
    found = np.full(len(questions), np.nan)
    of_gold = gold["behaviour"].to_numpy()
    for places in _by_behaviour(questions):
        learned = known[of_gold == questions["behaviour"][int(places[0])]]
        learned = learned[~np.isnan(learned).any(axis=1)]
        if len(learned):
            found[places] = expit(apart[places] @ fit(learned, penalty=penalty))
    return found


def gaps(questions: pl.DataFrame, *, encoder: Encoder = encode) -> np.ndarray:
    """[N, width + 1] what parts the matching answers from the others; nan where none matches.

    Of a statement that is affirmed or denied: its vector and a 1, turned round where the last option (" Yes" after " No")
    is not the matching one. Of listed answers: mean vector of stem and answer, matching less others, and a 0.
    """
    stated = questions["statement"].is_not_null().to_numpy()
    found = np.full((len(questions), 1), np.nan)
    parts = [(np.flatnonzero(stated), _of_statements), (np.flatnonzero(~stated), _of_answers)]
    made = [(places, make(questions[places], encoder)) for places, make in parts if len(places)]
    if made:
        found = np.full((len(questions), max(each.shape[1] for _, each in made)), np.nan)
    for places, each in made:
        if each.shape[1] > 1:
            found[places] = each
    return found


def _of_statements(questions: pl.DataFrame, encoder: Encoder) -> np.ndarray:
    last = questions.select(pl.col("matching").list.contains(pl.col("options").list.last())).to_series().to_numpy()
    vectors = encoder(questions["statement"].to_list())
    sound = (questions["options"].list.len() == 2).to_numpy() & (questions["matching"].list.len() == 1).to_numpy()
    signed = np.column_stack([vectors, np.ones(len(vectors))]) * np.where(last, 1.0, -1.0)[:, None]
    return np.where(sound[:, None], signed, np.nan)


def _of_answers(questions: pl.DataFrame, encoder: Encoder) -> np.ndarray:
    said: list[str] = []
    signs: list[float] = []
    owner: list[int] = []
    for place, (question, options, matching) in enumerate(questions.select("question", "options", "matching").iter_rows()):
        shows = [option in matching for option in options]
        if not any(shows) or all(shows):
            continue
        asked = stem(question, options)
        said += [f"{asked}\n{answer}" for answer in answers(question, options)]
        signs += [1 / sum(shows) if each else -1 / (len(shows) - sum(shows)) for each in shows]
        owner += [place] * len(options)
    if not said:
        return np.full((len(questions), 1), np.nan)
    vectors = encoder(said) * np.array(signs)[:, None]
    found = np.zeros((len(questions), vectors.shape[1] + 1))
    np.add.at(found[:, :-1], owner, vectors)
    found[np.setdiff1d(np.arange(len(questions)), owner)] = np.nan
    return found


def _by_behaviour(questions: pl.DataFrame) -> Sequence[np.ndarray]:
    places = questions.select("behaviour").with_row_index("place").group_by("behaviour", maintain_order=True).agg("place")
    return [np.array(each, dtype=np.int64) for each in places["place"]]
