import dataclasses
import itertools

import numpy as np
import pytest
import torch

from rlhf_train import batches
from rlhf_train.batches import in_order, rows_of, shuffled
from rlhf_train.packing import Tree
from rlhf_train.text import train_tokenizer

COUNT = 50


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["the cat sat on the mat and the dog sat too 0123456789"] * 20, vocabulary=300)


@pytest.fixture(scope="module")
def rows(tokenizer):
    columns = {
        "prompt": [f"{at} cats" for at in range(COUNT)],
        "chosen": [" x" * (at % 7 + 1) for at in range(COUNT)],
        "rejected": [" y" * (at % 3 + 1) for at in range(COUNT)],
        "ref_chosen_logps": np.arange(COUNT) / 2,
    }
    return batches.pairs(columns, tokenizer)


def places(source, steps, start=0, rank=0, world=1):
    stream = itertools.islice(source(start, rank, world), steps)
    return [[place for batch in step for place in batch.places] for step in stream]


def test_an_epoch_holds_every_row_once_and_the_seed_decides_the_order(rows):
    epoch = places(shuffled(rows, size=8, seed=3), 7)
    assert sorted(itertools.chain(*epoch)) == list(range(COUNT))
    assert sorted(map(len, epoch)) == [2, *[8] * 6]
    assert epoch == places(shuffled(rows, size=8, seed=3), 7)
    assert epoch != places(shuffled(rows, size=8, seed=4), 7)
    assert epoch != places(shuffled(rows, size=8, seed=3), 7, start=7)


def test_a_source_can_be_entered_at_any_step(rows):
    whole = places(shuffled(rows, size=8), 20)
    for start in (1, 6, 7, 13):
        assert places(shuffled(rows, size=8), 20 - start, start=start) == whole[start:]


@pytest.mark.parametrize("tokens", [40, 4096])
@pytest.mark.parametrize("size", [2, 7, 8])
def test_processes_share_a_step_and_have_as_many_batches(rows, size, tokens):
    """As many, or processes that hold weights in parts would wait for one another for ever."""
    whole = places(shuffled(rows, size=size), 7)
    source = shuffled(rows, size=size, tokens=tokens)
    for step, *dealt in zip(whole, *(itertools.islice(source(0, rank, 3), 7) for rank in range(3)), strict=True):
        assert len({len(batches) for batches in dealt}) == 1
        counted = [batch for batches in dealt for batch in batches if batch.share]
        assert sorted(place for batch in counted for place in batch.places) == sorted(step)
        assert sum(batch.share for batch in counted) == pytest.approx(1)


def test_batches_hold_as_many_tokens_as_are_asked_for(rows):
    for step in itertools.islice(shuffled(rows, size=16, tokens=40)(0, 0, 1), 6):
        assert all(batch.tensors["input_ids"].shape[1] <= 40 for batch in step)
        assert sum(batch.share for batch in step) == pytest.approx(1)
    assert len(step) > 1


def test_rows_of_a_step_are_of_like_length(rows):
    spread = [np.ptp([rows.sizes[place] for place in step]) for step in places(shuffled(rows, size=8), 6)]
    assert np.mean(spread) < np.ptp(rows.sizes) / 2


def test_numbers_go_with_their_rows(rows):
    [batch] = next(shuffled(rows, size=8)(0, 0, 1))
    assert batch.tensors["given"]["ref_chosen_logps"].tolist() == [place / 2 for place in batch.places]


def test_all_rows_once_longest_first(rows):
    found = in_order(rows, tokens=100)
    assert sorted(place for batch in found for place in batch.places) == list(range(COUNT))
    sizes = [rows.sizes[place] for batch in found for place in batch.places]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(batch.share for batch in found) == pytest.approx(1)


def test_responses_weigh_by_their_tokens(tokenizer):
    rows = batches.responses({"prompt": ["a", "b"], "response": [" x", " x x x x x"]}, tokenizer)
    short, long = (len(tokenizer(text)["input_ids"]) + 1 for text in (" x", " x x x x x"))
    shares = [batch.share for batch in in_order(rows, tokens=1)]
    assert shares == pytest.approx([long / (short + long), short / (short + long)])


def test_mismatched_responses_are_other_prompts_by_turns_good_and_bad(tokenizer):
    columns = {"prompt": ["a", "b", "c"], "chosen": ["1", "2", "3"], "rejected": ["4", "5", "6"]}
    rows = batches.mismatched_pairs({**columns, "mismatched": batches.mismatched(columns)}, tokenizer)
    said = tokenizer.batch_decode([rows.pack(np.array([at]))["input_ids"][0] for at in range(3)], skip_special_tokens=True)
    assert said == ["a142", "b256", "c361"]


def test_blocks_hold_the_texts_end_to_end(tokenizer):
    [batch] = next(shuffled(batches.blocks(["the cat", "the dog"] * 40, tokenizer, width=16), size=4)(0, 0, 1))
    assert batch.tensors["layout"].trees == ((1, 15),) * 4
    assert "the cat<end>the dog<end>" in tokenizer.decode(batch.tensors["input_ids"][0])


def test_arrays_of_responses_and_tokens_are_put_end_to_end():
    given = {
        "sizes": [np.array([3, 1]), np.array([7])],
        "gains": np.array([0.5, 0.25]),
        "wide": np.ones((2, 3)),
        "prompt": "ab",
    }
    packed = rows_of([Tree([1], ([2], [3])), Tree([4, 5], ([6, 7],))], given).pack(np.array([1, 0]))
    found = packed["given"]
    assert found["sizes"].tolist() == [7, 3, 1]
    assert found["sizes"].dtype == torch.int64
    assert found["gains"].tolist() == [0.25, 0.5]
    assert found["gains"].dtype == torch.float32
    assert found["wide"].shape == (2, 3)
    assert set(found) == {"sizes", "gains", "wide"}


def test_rows_with_chances_are_drawn_by_them():
    trees = [Tree([at + 2], ([at + 3] * (at + 1),)) for at in range(4)]
    rows = dataclasses.replace(rows_of(trees, {}), chances=np.array([0.0, 3.0, 1.0, 4.0]))
    steps = list(itertools.islice(shuffled(rows, size=2, seed=3)(0, 0, 1), 2000))
    counted = np.bincount([place for step in steps for batch in step for place in batch.places], minlength=4)
    assert counted[0] == 0
    assert (counted / counted.sum()).tolist() == pytest.approx([0, 3 / 8, 1 / 8, 4 / 8], abs=0.02)
    later = list(itertools.islice(shuffled(rows, size=2, seed=3)(5, 0, 1), 3))
    assert [[batch.places for batch in step] for step in later] == [[batch.places for batch in step] for step in steps[5:8]]
