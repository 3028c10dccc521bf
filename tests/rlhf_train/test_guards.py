import pytest

from rlhf_train import guards
from rlhf_train.errors import TrainingError
from rlhf_train.text import Lengths

COUNT = 60


def pairs():
    said = {
        side: [f" The {noun} {at} sings." for at in range(COUNT)] for side, noun in (("chosen", "kettle"), ("rejected", "rain"))
    }
    return {"prompt": [f"say {at}" for at in range(COUNT)], **said}


def test_pairs_alike_after_truncation_are_counted_and_refused(tiny_policy):
    columns = pairs()
    columns["rejected"][4] = columns["chosen"][4]
    columns["rejected"][9] = columns["chosen"][9] + " and more"
    count = len(tiny_policy.tokenizer(columns["chosen"][9])["input_ids"])
    few = Lengths(24, count)
    with pytest.raises(TrainingError, match=rf"2 of 60 pairs have sides that are the same {count} tokens.*: rows 4, 9; raise"):
        guards.usable_pairs(columns, tiny_policy.tokenizer, few)
    kept = guards.usable_pairs(columns, tiny_policy.tokenizer, few, most_identical=0.05)
    assert sorted(set(range(COUNT)) - set(kept.tolist())) == [4, 9]


def test_a_tokenizer_of_another_model_is_refused(tiny_policy, body):
    with pytest.raises(TrainingError, match=r"the tokenizer has ids up to 369 and the model embeds 97: they do not belong"):
        guards.check_model(body("llama"), tiny_policy.tokenizer, Lengths())


def test_rows_longer_than_the_context_are_refused(tiny_policy):
    with pytest.raises(
        TrainingError, match=r"1000 prompt tokens and 96 of the response, 1099 .* the model's context is 1024; lower"
    ):
        guards.check_model(tiny_policy.model, tiny_policy.tokenizer, Lengths(1000, 96))


def test_an_empty_response_is_named(tiny_policy):
    columns = pairs()
    for place in range(3, 18):
        columns["rejected"][place] = " \n"
    with pytest.raises(TrainingError, match="rejected is empty in rows 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 5 more; drop"):
        guards.usable_pairs(columns, tiny_policy.tokenizer, Lengths())
