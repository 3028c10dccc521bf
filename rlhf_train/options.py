"""How likely a policy is to say each of a question's options: log-probabilities summed over an option's tokens, never a mean.

A question is computed once for all its options, what options begin with alike once, and the last token of an option never:
nothing follows it. Options of a token each are read from one hidden state. Questions that begin alike share their beginning.
A prompt and an option are tokenized apart, as prompts and responses are in training: no token spans the seam between them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import at_rest, hidden_states, plain
from rlhf_train.logps import picked_logps
from rlhf_train.models.policies import Policy
from rlhf_train.packing import Tree, laid_out
from rlhf_train.text import Lengths, Tokenizer, prompt_ids, response_ids

WHOLE = Lengths(2**40, 2**40)  # nothing is cut: what is too long is left out
ALIKE = 12  # tokens with which questions begin that share a stem
FEWEST = 4  # questions that share one

Watch = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scored:
    """logps: [options] a question, float64, in the order of its options; NaN where it was left out.

    `left_out`: places of questions by reason, "alike" (two options are the same tokens) or "long" (beyond the context).
    `closed`: places of questions some option of which begins another; theirs are read with the end token behind them.
    """

    logps: list[np.ndarray]
    left_out: Mapping[str, list[int]] = field(default_factory=dict)
    closed: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question in tokens: prompt and what its options begin with alike (the last `shared` tokens), and how each goes on."""

    read: list[int]
    shared: int
    rests: tuple[list[int], ...]
    first: int  # number of its first option


@dataclass(frozen=True, slots=True)
class _Piece:
    """A tree; the places `at` [U] in it that are read, and of each option's tokens [M] the row of `at`, id and option."""

    tree: Tree
    at: np.ndarray
    rows: np.ndarray
    targets: np.ndarray
    owners: np.ndarray


def logps(
    policy: Policy,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    *,
    tokens: int = batches.TOKENS,
    watch: Watch = lambda done, of: None,
) -> Scored:
    """Of every question's options, verbatim, leading spaces included, after its prompt.

    An option counts however the policy would go on after it, as is usual for letters and for Yes and No. Where one begins
    another (" Yes" and " Yes, always") the two would be no alternatives: all options of such a question are read as whole
    answers, the end token behind them. TrainingError for a question of fewer than two options.
    """
    if few := [place for place, own in enumerate(options) if len(own) < 2]:
        raise TrainingError(f"a question needs two options at least, and question {few[0]} has {len(options[few[0]])}")
    firsts = np.cumsum([0, *map(len, options)])
    asked, left_out, closed = _tokenized(policy, prompts, options, firsts)
    found = np.zeros(firsts[-1])
    pieces = _pieces(asked, tokens)
    done = 0
    with at_rest(policy.model), torch.inference_mode():
        for batch in batches.in_order(_rows(pieces), tokens=tokens) if pieces else []:
            held = batch.to(policy.model.device)
            found += np.bincount(held["owners"].cpu(), _read(policy.model, held), minlength=len(found))
            done += sum(len(pieces[place].tree.parts) for place in batch.places)
            watch(done, len(asked))
    for place in (place for places in left_out.values() for place in places):
        found[firsts[place] : firsts[place + 1]] = np.nan
    return Scored(np.split(found, firsts[1:-1]) if len(options) else [], left_out, closed)


def _tokenized(
    policy: Policy, prompts: Sequence[str], options: Sequence[Sequence[str]], firsts: np.ndarray
) -> tuple[list[_Asked], dict[str, list[int]], list[int]]:
    """The questions that can be asked, the places of those that can't, and of those whose options are read with their end."""
    context = getattr(plain(policy.model).config, "max_position_embeddings", None) or 2**40
    ids = _option_ids(policy.tokenizer, options)
    asked, closed = [], []
    left_out: dict[str, list[int]] = {"alike": [], "long": []}
    for place, prompt in enumerate(prompt_ids(policy.tokenizer, prompts, WHOLE)):
        whole = [ids[option] for option in options[place]]
        own = [option[:-1] for option in whole]
        if len(set(map(tuple, own))) < len(own):
            left_out["alike"].append(place)
            continue
        if _begins_another(own):
            own = whole
            closed.append(place)
        if len(prompt) + max(map(len, own)) - 1 > context:
            left_out["long"].append(place)
            continue
        shared = _alike(own)
        asked.append(_Asked([*prompt, *own[0][:shared]], shared, tuple(one[shared:] for one in own), int(firsts[place])))
    return asked, left_out, closed


def _option_ids(tokenizer: Tokenizer, options: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """ids of each option that there is, and the end token."""
    texts = list(dict.fromkeys(option for own in options for option in own))
    return dict(zip(texts, response_ids(tokenizer, texts, WHOLE), strict=True))


def _begins_another(options: Sequence[list[int]]) -> bool:
    """Whether one of the options is the beginning of another: in order such a one stands before what it begins."""
    ordered = sorted(options)
    return any(later[: len(one)] == one for one, later in pairwise(ordered))


def _alike(rows: Sequence[list[int]]) -> int:
    """How many tokens all rows begin with: the first and the last of them in order tell."""
    first, last = min(rows), max(rows)
    return next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))


def _pieces(asked: Sequence[_Asked], tokens: int) -> list[_Piece]:
    """Trees of at most `tokens` tokens: of a question and how its options go on, or of a stem and how questions go on."""
    flat: dict[tuple[int, ...], list[_Asked]] = {}
    found = []
    for one in asked:
        if any(len(rest) > 1 for rest in one.rests):
            found.append(_branched(one))
        else:
            flat.setdefault(tuple(one.read[:ALIKE]), []).append(one)
    for group in flat.values():
        stem = _stem(group)
        for run in _runs(sorted(group, key=lambda one: len(one.read), reverse=True), stem, tokens):
            found.append(_stemmed(run, stem))
    return found


def _stem(group: Sequence[_Asked]) -> int:
    """How many tokens all of the group begin with and read nothing at; 1, the least that a prompt has, for too few of them."""
    if len(group) < FEWEST:
        return 1
    shortest = min(len(one.read) - one.shared for one in group) - 1
    return max(min(_alike([one.read for one in group]), shortest), 1)


def _runs(group: Sequence[_Asked], stem: int, tokens: int) -> list[list[_Asked]]:
    """The group cut into trees of at most `tokens` tokens; apart where they have no stem to share."""
    if stem == 1:
        return [[one] for one in group]
    cuts = batches.fill([len(one.read) - stem for one in group], max(tokens - stem, 1))
    return [list(group[cut]) for cut in cuts]


def _branched(one: _Asked) -> _Piece:
    """A question whose options go on for several tokens: each is a response without its last token."""
    inputs = [rest[:-1] for rest in one.rests]
    starts = len(one.read) + np.cumsum([0, *map(len, inputs)])
    end = len(one.read) - 1
    before = [[end, *range(start, start + len(said))] for start, said in zip(starts, inputs, strict=False)]
    shared = list(range(end - one.shared, end))
    return _piece(Tree(one.read, tuple(said for said in inputs if said)), [(one, shared, before)])


def _stemmed(run: Sequence[_Asked], stem: int) -> _Piece:
    """Questions whose options differ in a token: what follows the stem in each is a response."""
    own = [one.read[stem:] for one in run]
    ends = stem + np.cumsum([len(part) for part in own]) - 1
    tree = Tree(run[0].read[:stem], tuple(part for part in own if part))
    if not any(one.shared for one in run):  # one state a question, whatever its options
        counts = [len(one.rests) for one in run]
        owners = np.concatenate([np.arange(one.first, one.first + count) for one, count in zip(run, counts, strict=True)])
        targets = np.array([rest[0] for one in run for rest in one.rests])
        return _Piece(tree, ends, np.repeat(np.arange(len(run)), counts), targets, owners)
    reads = [(one, list(range(end - one.shared, end)), [[end]] * len(one.rests)) for one, end in zip(run, ends, strict=True)]
    return _piece(tree, reads)


def _piece(tree: Tree, reads: Sequence[tuple[_Asked, list[int], list[list[int]]]]) -> _Piece:
    """`reads`: a question, the places before the tokens that its options share, and those before each option's own tokens."""
    at: dict[int, int] = {}  # the row of each place: options that begin alike are read from the same ones
    rows: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    for one, shared, before in reads:
        alike = one.read[len(one.read) - one.shared :]
        for number, (places, rest) in enumerate(zip(before, one.rests, strict=True), start=one.first):
            rows += [at.setdefault(place, len(at)) for place in shared + places]
            targets += alike + rest
            owners += [number] * (len(shared) + len(rest))
    return _Piece(tree, np.array(list(at)), np.array(rows), np.array(targets), np.array(owners))


def _rows(pieces: Sequence[_Piece]) -> batches.Rows:
    """Pieces as rows that are packed, with what is read of them: at, rows, targets, owners as of a _Piece, end to end."""

    def packed(places: np.ndarray) -> dict[str, Any]:
        own = [pieces[place] for place in places]
        batch = laid_out([piece.tree for piece in own])
        starts = np.cumsum([0, *map(sum, batch["layout"].trees)])
        rows = np.cumsum([0, *(len(piece.at) for piece in own)])
        numbers = {
            "at": [piece.at + start for piece, start in zip(own, starts, strict=False)],
            "rows": [piece.rows + row for piece, row in zip(own, rows, strict=False)],
            "targets": [piece.targets for piece in own],
            "owners": [piece.owners for piece in own],
        }
        return batch | {name: torch.from_numpy(np.concatenate(parts)) for name, parts in numbers.items()}

    return batches.Rows([len(piece.tree) for piece in pieces], np.ones(len(pieces)), packed)


def _read(model: Any, batch: dict[str, Any]) -> np.ndarray:
    """[M] log-probabilities of the tokens that are asked for."""
    head = model.get_output_embeddings()
    hidden = hidden_states(model, batch)[batch["at"]]
    return picked_logps(hidden, head.weight, batch["rows"], batch["targets"], head.bias).double().cpu().numpy()
