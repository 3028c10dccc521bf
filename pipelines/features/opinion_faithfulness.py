"""Opinion faithfulness: whether the summary praises what reviewers praise and blames what they blame (feature 2).

An opinion is as faithful as it is likely that two reviewers who agree on its aspects hold it: of an aspect that four in five
approve of, praise is worth 16 parts of 17 and blame one. An opinion on something else, in a clause that strays, nobody holds.
"""

import numpy as np

from pipelines.features.reading import Product, Reading, Said, marks, of_one_mind

UNSAID = 2.0  # of valence, a word's: what says little of feelings is worth about half


def score(reading: Reading) -> np.ndarray:
    """[N] in [0, 5]: all opinions turned round are worth almost 0, half of them 2.5."""
    return marks(reading, _share)


def _share(product: Product, said: Said) -> float:
    faithful, felt = UNSAID / 2, UNSAID
    for clause in said:
        praised = of_one_mind(product.approves(clause.aspects))
        faithful += 0.0 if clause.is_stray else clause.praise * praised + clause.blame * (1 - praised)
        felt += clause.praise + clause.blame
    return faithful / felt
