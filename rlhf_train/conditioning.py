"""Conditional alignment: likelihood of stored responses whose prompt says how good they are (Hu et al., 2023).

Of a policy that has learned this a reward is asked for by writing it: what it then says is as good where rows of such a reward
were learned, and anything where none were.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

import numpy as np

from rlhf_train.batches import Columns, Rows
from rlhf_train.errors import TrainingError
from rlhf_train.text import Lengths, Tokenizer
from rlhf_train.tilting import Normaliser, weighed

#: "end": after the prompt, as published, in a dialogue behind "Assistant:" and thus where its answer begins; "turn": before
#: that mark, at the end of what was asked
Placement = Literal["end", "turn"]
CHANNEL = " <rm_score>: {:.2f} "
TURN = "\n\nAssistant:"


def conditioned(prompts: Sequence[str], target: float | np.ndarray, *, placement: Placement = "end") -> list[str]:
    """Prompts that say a standardised reward, one for all or [N], to 2 decimals: `Q: <rm_score>: 1.42 `.

    TrainingError where it is not finite, or for placement "turn" where a prompt does not end with its mark.
    """
    scores = np.broadcast_to(np.asarray(target, dtype=float), len(prompts))
    if not np.isfinite(scores).all():
        raise TrainingError(f"a reward to ask for must be finite, got {scores[~np.isfinite(scores)][0]}")
    said = [CHANNEL.format(round(score, 2) + 0.0) for score in scores.tolist()]  # + 0: there is no -0.00
    if placement == "end":
        return [prompt + score for prompt, score in zip(prompts, said, strict=True)]
    if wrong := [at for at, prompt in enumerate(prompts) if not prompt.endswith(TURN)]:
        raise TrainingError(f"placement 'turn' needs prompts that end with {TURN!r}, and number {wrong[0]} does not; use 'end'")
    return [prompt.removesuffix(TURN) + score.rstrip() + TURN for prompt, score in zip(prompts, said, strict=True)]


def rows(
    columns: Columns,
    tokenizer: Tokenizer,
    lengths: Lengths = Lengths(),
    *,
    placement: Placement = "end",
    dropout: float = 0.1,
    normaliser: Normaliser = "sequence",
) -> Rows:
    """`prompt`, `response` and `standard_reward`, which the prompt says, but for a share `dropout` of the rows.

    Without these (they are ours, not published) a policy that is told no reward would say anything.
    """
    if not 0 <= dropout < 1:
        raise TrainingError(f"dropout is the share of rows whose prompt says no reward and must lie in [0, 1), got {dropout:g}")
    said = conditioned(columns["prompt"], np.asarray(columns["standard_reward"]), placement=placement)
    silent = chances(columns["prompt"], columns["response"]) < dropout
    prompts = [plain if quiet else told for plain, told, quiet in zip(columns["prompt"], said, silent, strict=True)]
    return weighed({**columns, "prompt": prompts}, np.ones(len(prompts)), tokenizer, lengths, normaliser)


def chances(prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
    """[N] in [0, 1), even, of the texts alone, so that no order of a table changes a row's; of equal rows each has its own."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for row in zip(prompts, responses, strict=True):
        seen[row] += 1
        digest = blake2b(repr((*row, seen[row])).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        found.append(int.from_bytes(digest, "big") / 2**64)
    return np.array(found)
