"""Where segments end: by hand, and at every edge that a response has."""

import numpy as np
import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.precompute import token_entropies
from rlhf_train.segmentation import positions, segment_ends, sentences, token_texts
from rlhf_train.text import Lengths
from tests.rlhf_train import owed

BANANA = [1.46, 1.44, 1.55, 1.45, 1.40, 1.46, 1.42, 1.59, 1.33, 1.35, 1.61, 1.43, 1.40, 1.34, 0.2, 0.9]


def ends(entropies, *, cutoff=1.0, granularity="entropy", **more):
    values = torch.tensor([entropies])
    found = segment_ends(values, torch.ones_like(values, dtype=torch.bool), cutoff=cutoff, granularity=granularity, **more)
    return found[0].nonzero()[:, 0].tolist()


def test_a_segment_ends_where_the_reference_is_unsure():
    """A banana is | both ... seed | and a herb | with ... ."""
    assert ends(BANANA, cutoff=1.5) == [2, 7, 10, 14]


@pytest.mark.parametrize(
    ("entropies", "wanted"),
    [
        ([0.1, 2.0, 0.1, 0.1, 2.0], [1, 3]),  # the end token's own counts for nothing
        ([0.1, 2.0, 0.1, 2.0, 2.0], [1, 3]),
        ([0.1, 2.0, 0.1, 2.0, 0.1], [1, 3]),
        ([0.1] * 5, [3]),
        ([2.0] * 5, [0, 1, 2, 3]),
        ([1.0, 1.0, 1.0], [1]),  # at the cutoff is not above it
        ([0.1, 2.0], [0]),
        ([2.0], [0]),  # an end token alone is a segment
        ([0.1], [0]),
    ],
)
def test_at_the_edges(entropies, wanted):
    assert ends(entropies) == wanted


def test_other_grains():
    assert ends([0.1, 2.0, 0.1, 0.1, 2.0], granularity="bandit") == [4]
    assert ends([0.1] * 5, cutoff=0.0) == [0, 1, 2, 3]
    assert ends([0.0] * 5, granularity="token") == [0, 1, 2, 3]
    assert ends([2.0], granularity="token") == ends([2.0], granularity="bandit") == [0]
    closed = torch.tensor([[False, True, False, False, True, True]])
    assert ends([9.0] * 6, granularity="sentence", closed=closed) == [1, 4]


@pytest.mark.parametrize("granularity", ["entropy", "sentence", "token", "bandit"])
def test_padding_and_the_order_of_responses_change_nothing(granularity):
    random = np.random.default_rng(0)
    rows = [random.uniform(0, 2, size).astype(np.float32) for size in (7, 1, 12, 2, 5)]
    width = 15
    values = torch.tensor(np.stack([np.pad(row, (0, width - len(row)), constant_values=9.0) for row in rows]))
    mask = torch.arange(width) < torch.tensor([len(row) for row in rows])[:, None]
    closed = values > 1.5
    together = segment_ends(values, mask, cutoff=1.0, granularity=granularity, closed=closed)
    assert not together[~mask].any()
    for at, row in enumerate(rows):
        alone = ends(row.tolist(), granularity=granularity, closed=closed[at : at + 1, : len(row)])
        assert together[at].nonzero()[:, 0].tolist() == alone


def test_a_padded_entropy_that_is_no_number_is_no_matter():
    values, mask = torch.tensor([[0.5, 0.1, 0.2, float("nan")]]), torch.tensor([[True, True, True, False]])
    assert segment_ends(values, mask, cutoff=0.3).tolist() == [[True, True, False, False]]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ends([0.1, float("nan"), 0.2]), "entropies must be finite"),
        (lambda: ends([0.1, 0.2], cutoff=-1.0), "cutoff is an entropy in nats and must be a finite number, 0 or more, got -1"),
        (lambda: ends([0.1, 0.2], cutoff=float("inf")), "got inf"),
        (lambda: ends([0.1, 0.2], granularity="sentence"), "segments by sentence need closed, where sentences end; got none"),
        (
            lambda: segment_ends(None, torch.ones(1, 2, dtype=torch.bool)),
            "by entropy need the entropies of a reference; got none",
        ),
    ],
)
def test_what_can_not_serve_is_named(call, said):
    with pytest.raises(TrainingError, match=said):
        call()


def test_positions_of_segments():
    ends = np.array([True, False, True, True, False, False, True, False, False, True, False])
    owners = np.array([0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2])
    assert positions(ends, owners).tolist() == [1 / 2, 1, 1 / 2, 1, 1]
    assert positions(np.zeros(0, dtype=bool), np.zeros(0, dtype=int)).tolist() == []


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ([" The", " kettle", " sings", ".", " Rain", "!", " Pi", " is", " 3", ".", "14", " or", " so"], [3, 5]),
        ([" He", " said", ' "', "No", ".", '"', " Then", " wait", ".", ".", ".", " ok"], [5, 10]),
        (["a", ".\n", "\n", "b", "\n", "c", "?"], [2, 4, 6]),
        (["so", " on"], []),
        ([], []),
    ],
)
def test_where_sentences_end(texts, wanted):
    assert np.flatnonzero(sentences(texts)).tolist() == wanted


def test_texts_of_tokens_keep_their_space(tiny_policy):
    ids = tiny_policy.tokenizer(" The kettle sings. Rain, again")["input_ids"]
    texts = token_texts(tiny_policy.tokenizer, ids)
    assert "".join(texts) == " The kettle sings. Rain, again"
    assert len(texts) == len(ids)


COLUMNS = {
    "prompt": ["\n\nHuman: say\n\nAssistant:", "x"],
    "chosen": [" The kettle sings. Rain", " Rain again."],
    "rejected": [" Rain.", " No umbrella. Nobody reads."],
}
LENGTHS = Lengths(24, 24)


def rows(policy, **numbers):
    held = token_entropies(policy, COLUMNS, LENGTHS)
    return held, OBJECTIVES["segments"].rows({**COLUMNS, **held}, policy.tokenizer, LENGTHS, **numbers)


def test_rows_say_where_the_segments_of_both_responses_end(tiny_policy):
    cutoff = float(np.median(np.concatenate([part for own in rows(tiny_policy)[0].values() for part in own])))
    held, found = rows(tiny_policy, cutoff=cutoff)
    packed = found.pack(np.array([1, 0]))
    wanted = []
    for at in (1, 0):
        for side in ("chosen", "rejected"):
            own = held[f"{side}_entropies"][at]
            places = ends(own.tolist(), cutoff=cutoff)
            wanted += [place in places for place in range(len(own))]
    assert packed["given"]["ends"].tolist() == wanted
    assert len(wanted) == len(packed["owners"])
    assert 4 < sum(wanted) < len(wanted) - 4


def test_rows_of_other_grains(tiny_policy):
    _, found = rows(tiny_policy, granularity="sentence")
    packed, place = found.pack(np.array([0])), 0
    for side, said in (("chosen", [" The kettle sings.", " Rain"]), ("rejected", [" Rain."])):
        texts = token_texts(tiny_policy.tokenizer, tiny_policy.tokenizer(COLUMNS[side][0])["input_ids"])
        marks = packed["given"]["ends"][place : place + len(texts) + 1].tolist()
        cuts = np.flatnonzero(marks)
        assert ["".join(part) for part in np.split(np.array(texts, dtype=object), cuts[:-1] + 1)] == said
        assert not marks[-1]
        place += len(texts) + 1
    _, found = rows(tiny_policy, granularity="bandit")
    assert found.pack(np.array([0, 1]))["given"]["ends"].sum() == 4


def test_one_segment_a_response_has_the_rewards_of_a_plain_reward_model(tiny_policy, body):
    """So that its loss is that of bradley_terry."""
    model, numbered = body("llama", scored=True), owed.rows(OBJECTIVES["segments"], granularity="bandit")
    packed = numbered.pack(np.arange(len(numbered)))
    with torch.no_grad():
        ours = OBJECTIVES["segments"].loss(**OBJECTIVES["segments"].inputs(model, packed)).loss
        theirs = OBJECTIVES["bradley_terry"].loss(**OBJECTIVES["bradley_terry"].inputs(model, {**packed, "given": {}})).loss
    assert torch.equal(ours, theirs)


def test_entropies_of_other_tokens_are_refused(tiny_policy):
    held = token_entropies(tiny_policy, COLUMNS, Lengths(24, 3))
    with pytest.raises(TrainingError, match=r"chosen_entropies of row 0 are 4 numbers, and its response has \d+ tokens"):
        OBJECTIVES["segments"].rows({**COLUMNS, **held}, tiny_policy.tokenizer, LENGTHS)
