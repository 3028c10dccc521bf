"""Steps over thousands of stored responses for the price of the distinct ones: equal sequences have one forward pass.

The table is the real one, and so are its rows as the objective makes and draws them; only what the policy says of a sequence is
computed once and given to all of its copies.
"""

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from _enumerable import COLUMNS, LETTERS, RESPONSES

from rlhf_train import batches, precompute
from rlhf_train.batches import Batch, Rows, Source
from rlhf_train.inputs import candidate_logps, sequence_logps
from rlhf_train.metrics import Row
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.packing import Tree, pack
from rlhf_train.text import prompt_ids, response_ids
from rlhf_train.train import fit

WIDTH = len(RESPONSES[0]) + 1  # tokens of a response, its end among them


def sampled(law: np.ndarray, count: int, seed: int) -> np.ndarray:
    """[4 * count] places in the world's 256 rows: `count` responses to each prompt, drawn by a law [4, 64]."""
    random = np.random.default_rng([seed, 7])
    drawn = [random.choice(len(RESPONSES), count, p=own) + at * len(RESPONSES) for at, own in enumerate(law)]
    return np.concatenate(drawn)


def empirical(places: np.ndarray) -> np.ndarray:
    """[4, 64] the law of these places."""
    counts = np.bincount(places, minlength=len(LETTERS) * len(RESPONSES)).reshape(len(LETTERS), -1)
    return counts / counts.sum(1, keepdims=True)


def table(places: np.ndarray, rewards: np.ndarray, values: np.ndarray | None = None) -> dict[str, Any]:
    """Stored responses at these places, with a reward each [N] and the value of their prompt [4]."""
    held: dict[str, Any] = {name: [texts[at] for at in places] for name, texts in COLUMNS.items()}
    held["reward"] = rewards
    return held if values is None else {**held, "value": values[places // len(RESPONSES)]}


def spread(numbers: Sequence[float]) -> tuple[float, float]:
    """The mean over seeds, and half the width of its 95 % interval by Student's t."""
    from scipy.stats import t

    count = len(numbers)
    half = t.ppf(0.975, count - 1) * np.std(numbers, ddof=1) / count**0.5 if count > 1 else np.nan
    return float(np.mean(numbers)), float(half)


def means(lines: list[dict[str, Any]], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """Over seeds, each number with half its 95 % interval."""
    groups = list(dict.fromkeys(tuple(each[key] for key in keys) for each in lines))
    found = []
    for group in groups:
        own = [each for each in lines if tuple(each[key] for key in keys) == group]
        row: dict[str, Any] = dict(zip(keys, group, strict=True))
        for name in [name for name in own[0] if name not in (*keys, "seed")]:
            known = [each[name] for each in own if each[name] is not None]
            mean, half = spread(known) if len(known) == len(own) else (None, None)
            row |= {name: mean, f"{name} +-": half}
        found.append(row)
    return found


def trained(
    policy: Policy,
    name: str,
    rows_of: Mapping[str, Any],
    *,
    steps: int,
    lr: float = 5e-3,
    seed: int = 0,
    **numbers: Any,
) -> tuple[Policy, Row]:
    """A copy of the policy after full steps of an objective on a table, and its last step's metrics.

    Each step is over all of the objective's rows, or over as many drawn by their chances where they have them.
    """
    objective, model = OBJECTIVES[name], copy.deepcopy(policy.model)
    if "ref_token_logps" in objective.given:
        rows_of = {**rows_of, **precompute.reference_token_logps(policy, rows_of, policy.lengths)}
    own = {key: value for key, value in numbers.items() if key in objective.numbers}
    given = {key: value for key, value in own.items() if key in _names(objective.rows)}
    rows = objective.rows(rows_of, policy.tokenizer, policy.lengths, **given)
    shared = dataclasses.replace(objective, inputs=_spread)
    settings: dict[str, Any] = {"weight_decay": 0.0, "mixed_precision": "no", "seed": seed, "numbers": own}
    history = fit(model, shared, _full(rows, seed), steps=steps, lr=lr, **settings)
    return dataclasses.replace(policy, model=model), history[-1]


def _names(call: Any) -> set[str]:
    from rlhf_train import numbers

    return set(numbers.of([call]))


def _full(rows: Rows, seed: int) -> Source:
    """Steps of all rows, or of as many drawn."""
    count = len(rows)
    whole = rows.pack(np.arange(count))
    small, copies = _distinct(whole)

    def source(start: int, rank: int, world: int) -> Iterator[list[Batch]]:
        random = np.random.default_rng([seed, 8])
        while True:
            drawn = np.arange(count) if rows.chances is None else random.choice(count, count, p=rows.chances)
            places = torch.from_numpy(drawn)
            given = {key: _of(part, places, count) for key, part in whole["given"].items()}
            yield [Batch({**small, "given": given, "copies": copies[places]})]

    return source


def _distinct(whole: dict[str, Any]) -> tuple[dict[str, Any], torch.Tensor]:
    """The distinct responses of a packed batch under their prompts, packed, and which of them each response is [N]."""
    ids = [part.tolist() for part in whole["input_ids"][0].split([size for tree in whole["layout"].trees for size in tree])]
    told = list(zip(map(tuple, ids[::2]), map(tuple, ids[1::2]), strict=True))
    grown: dict[tuple[int, ...], dict[tuple[int, ...], None]] = {}
    for prompt, response in told:
        grown.setdefault(prompt, {})[response] = None
    order = {row: at for at, row in enumerate((prompt, said) for prompt, own in grown.items() for said in own)}
    trees = [Tree(prompt, tuple(own)) for prompt, own in grown.items()]
    return pack(trees), torch.tensor([order[row] for row in told])


def _of(part: torch.Tensor, places: torch.Tensor, count: int) -> torch.Tensor:
    """Numbers of responses, or of their tokens, at these places."""
    return part[places] if len(part) == count else part.view(count, WIDTH)[places].flatten()


def _spread(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """What the loss is given, of every copy."""
    found = candidate_logps(model, {**batch, "given": {}})["token_logps"].view(-1, WIDTH)
    owners = torch.arange(len(batch["copies"])).repeat_interleave(WIDTH)
    return {"token_logps": found[batch["copies"]].flatten(), "owners": owners, **batch["given"]}


@torch.no_grad()
def chances(policy: Policy, prompts: list[str]) -> np.ndarray:
    """[4, 64] probabilities of the responses to these prompts, one for each letter's; what other texts have is missing."""
    asked = prompt_ids(policy.tokenizer, prompts, policy.lengths)
    said = response_ids(policy.tokenizer, RESPONSES, policy.lengths)
    trees = [Tree(ids, (response,)) for ids in asked for response in said]
    model, found = copy.deepcopy(policy.model).double().eval(), np.zeros(len(trees))
    for batch in batches.in_order(batches.rows_of(trees, {})):
        found[list(batch.places)] = sequence_logps(model, batch.tensors).numpy()
    return np.exp(found).reshape(len(prompts), -1)
