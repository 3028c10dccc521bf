import itertools

import pytest
import torch

from rlhf_train import batches
from rlhf_train.text import IGNORED, Lengths, causal_ids, padded, train_tokenizer

ODD = ["curly “quotes”, naïve café", "東京堂 \ufffd", "tabs\tand\n\nnewlines ", "Zorvex 50% {off}"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["the cat sat on the mat and the dog sat too"] * 20, vocabulary=300)


@pytest.mark.parametrize("text", ODD)
def test_any_text_survives_the_tokenizer(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_end_of_the_prompt_and_the_beginning_of_the_response_are_kept(tokenizer):
    [(ids, start)] = causal_ids(tokenizer, ["one two three"], [" four five six"], Lengths(prompt=3, response=2))
    asked, said = (tokenizer(text)["input_ids"] for text in ("one two three", " four five six"))
    assert ids == asked[-3:] + said[:2] + [tokenizer.eos_token_id]
    assert start == 3


def test_padding_goes_where_it_is_wanted():
    assert padded([[1, 2], [3]], 0).tolist() == [[1, 2], [3, 0]]
    assert padded([[1, 2], [3]], 9, left=True).tolist() == [[1, 2], [9, 3]]


def test_labels_count_in_the_response_only(tokenizer):
    columns = {"prompt": ["the cat", "a much longer prompt than that"], "response": [" sat", " on"]}
    batch = next(batches.responses(columns, tokenizer, size=2))
    for ids, labels, mask in zip(batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True):
        counted = ids[labels != IGNORED].tolist()
        assert tokenizer.decode(counted) in (" sat<end>", " on<end>")
        assert (labels[labels != IGNORED] == ids[labels != IGNORED]).all()
        assert (labels[mask == 0] == IGNORED).all()


def test_an_epoch_holds_every_row_once_and_the_seed_decides_the_order(tokenizer):
    columns = {"prompt": [f"{at} cats" for at in range(50)], "response": [" x" * (at % 7 + 1) for at in range(50)]}

    def epoch(seed):
        stream = batches.responses(columns, tokenizer, size=8, seed=seed)
        return [row for batch in itertools.islice(stream, 7) for row in tokenizer.batch_decode(batch["input_ids"])]

    prompts = sorted(int(row.split(" cats")[0].replace("<pad>", "")) for row in epoch(3))
    assert prompts == list(range(50))
    assert epoch(3) == epoch(3)
    assert epoch(3) != epoch(4)


def test_by_length_covers_all_rows_longest_first():
    found = batches.by_length([3, 9, 1, 7, 5], 2)
    assert [places.tolist() for places in found] == [[1, 3], [4, 0], [2]]


def test_blocks_hold_the_texts_end_to_end(tokenizer):
    batch = next(batches.blocks(["the cat", "the dog"] * 40, tokenizer, size=4, width=16))
    assert batch["input_ids"].shape == torch.Size([4, 16])
    assert "the cat<end>the dog<end>" in "".join(tokenizer.batch_decode(batch["input_ids"]))
