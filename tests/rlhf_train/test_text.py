import pytest

from rlhf_train.text import Lengths, encoded_ids, prompt_ids, response_ids, train_tokenizer

ODD = ["curly “quotes”, naïve café", "東京堂 \ufffd", "tabs\tand\n\nnewlines ", "Zorvex 50% {off}"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["the cat sat on the mat and the dog sat too"] * 20, vocabulary=300)


@pytest.mark.parametrize("text", ODD)
def test_any_text_survives_the_tokenizer(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_end_of_the_prompt_and_the_beginning_of_the_response_are_kept(tokenizer):
    asked, said = (tokenizer(text)["input_ids"] for text in ("one two three", " four five six"))
    few = Lengths(prompt=3, response=2)
    assert prompt_ids(tokenizer, ["one two three"], few) == [asked[-3:]]
    assert response_ids(tokenizer, [" four five six"], few) == [[*said[:2], tokenizer.eos_token_id]]


def test_a_prompt_has_a_token_even_if_it_is_empty(tokenizer):
    assert prompt_ids(tokenizer, [""], Lengths()) == [[tokenizer.eos_token_id]]


def test_a_prompt_begins_with_the_token_that_its_tokenizer_begins_texts_with():
    from tokenizers.processors import TemplateProcessing

    begun = train_tokenizer(["the cat sat"] * 20, vocabulary=300)
    begun.bos_token = "<end>"
    template = TemplateProcessing(single="<end> $A", special_tokens=[("<end>", begun.eos_token_id)])
    begun.backend_tokenizer.post_processor = template
    words = begun("the cat", add_special_tokens=False)["input_ids"]
    assert prompt_ids(begun, ["the cat", ""], Lengths(prompt=1)) == [[begun.eos_token_id, words[-1]], [begun.eos_token_id]]


def test_an_encoder_reads_prompt_and_response_between_marks(tokenizer):
    tokenizer.cls_token, tokenizer.sep_token = "<pad>", "<end>"
    asked, said = (tokenizer(text)["input_ids"] for text in ("the cat", " sat on"))
    [row] = encoded_ids(tokenizer, ["the cat"], [" sat on"], Lengths(prompt=1, response=1))
    assert row == [tokenizer.pad_token_id, asked[-1], tokenizer.eos_token_id, said[0], tokenizer.eos_token_id]


def test_lengths_of_nothing_are_refused():
    with pytest.raises(ValueError, match="at least one token each, got 0 and 96"):
        Lengths(prompt=0)
