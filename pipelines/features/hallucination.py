"""Hallucination, reversed: the share of the summary's words, numbers and names that the reviews bear out (feature 6).

A word that no review holds is not borne out; one of a clause with a feeling is as far as reviewers share it, since "never
leaks" is made up where all complain of leaks. Of a clause that strays nothing is: a name that no review has makes up the rest.
"""

import numpy as np

from pipelines.features.clauses import Clause
from pipelines.features.reading import Product, Reading, Said, marks, of_one_mind

OWN = 0.3  # share of words that are a faithful summary's own: it paraphrases


def score(reading: Reading) -> np.ndarray:
    """[N] in [0, 5]; 5 where nothing is made up."""
    return marks(reading, _share)


def _share(product: Product, said: Said) -> float:
    stems = [(clause, stem) for clause in said if not clause.is_stray for stem in clause.stems]
    borne_out = sum(_agrees(product, clause, stem) for clause, stem in stems if stem in product.stems)
    return min(borne_out / max((1 - OWN) * sum(len(clause.stems) for clause in said), 1), 1.0)


def _agrees(product: Product, clause: Clause, stem: str) -> float:
    """How far reviewers feel about the word as the clause does; 1 where that feels nothing."""
    felt = clause.praise + clause.blame
    praised = of_one_mind(product.approves((stem,)))
    return (clause.praise * praised + clause.blame * (1 - praised)) / felt if felt else 1.0
