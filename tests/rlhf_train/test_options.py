"""Options are as likely as each is as a row of its own, however questions are packed."""

import numpy as np
import pytest
import torch

from rlhf_train import options
from rlhf_train.errors import TrainingError
from rlhf_train.logps import picked_logps
from rlhf_train.models.policies import Policy
from rlhf_train.packing import Tree, laid_out, pack
from rlhf_train.text import Lengths, prompt_ids, response_ids

ASKED = "\n\nHuman: say {}: yes or no?\n\nAssistant:"
YES_NO = [" Yes", " No"]


def alone(policy, prompt, option, *, closed=False):
    """The plain model on one row, as transformers computes it."""
    first = prompt_ids(policy.tokenizer, [prompt], Lengths(10**6, 1))[0]
    own = response_ids(policy.tokenizer, [option], Lengths(1, 10**6))[0]
    own = own if closed else own[:-1]
    policy.model.set_attn_implementation("eager")
    with torch.no_grad():
        logits = policy.model(input_ids=torch.tensor([[*first, *own]])).logits[0].double().log_softmax(-1)
    policy.model.set_attn_implementation("trees")
    return sum(float(logits[len(first) - 1 + at, token]) for at, token in enumerate(own))


def check(policy, prompts, answers, closed=(), **how):
    found = options.logps(policy, prompts, answers, **how)
    for place, (prompt, own) in enumerate(zip(prompts, answers, strict=True)):
        expected = [alone(policy, prompt, option, closed=place in closed) for option in own]
        assert found.logps[place] == pytest.approx(expected, abs=1e-4), place
    assert list(found.closed) == list(closed)
    return found


@pytest.mark.parametrize("tokens", [40, 4096])
def test_every_option_as_a_row_of_its_own(tiny_policy, tokens):
    stemmed = [ASKED.format(what) for what in ("red", "a bicycle", "7", "the kettle sings", "red")]
    prompts = [*stemmed, "\n\nHuman: which?\n (A) rain\n (B) tea\n\nAssistant:", "", "Rain", *stemmed[:2]]
    answers = [
        *[["y", "n"]] * 4,
        ["y", "yes", "n"],
        [" (A)", " (B)", " (C)"],
        [" The kettle sings.", " Rain again, and no umbrella."],
        [" No", " Perhaps not, said the manual.", " Yes"],
        [" the red one", " the red bicycle"],
        ["Yes", "No"],
    ]
    check(tiny_policy, prompts, answers, closed=[4], tokens=tokens)


def test_an_option_that_begins_another_is_read_to_its_end(tiny_policy):
    prompts = [ASKED.format("tea"), ASKED.format("rain")]
    found = check(tiny_policy, prompts, [[" Yes", " Yes, always", " No"], [" Yes", " No"]], closed=[0])
    assert np.exp(found.logps[0]).sum() < 1


def test_an_empty_option_is_an_answer_that_ends_at_once(tiny_policy):
    check(tiny_policy, [ASKED.format("tea")], [["", " No"]], closed=[0])


def test_what_options_begin_with_alike_is_computed_once_and_last_tokens_never(tiny_policy):
    own = response_ids(tiny_policy.tokenizer, [" (A)", " (B)"], Lengths(1, 99))
    size = len(prompt_ids(tiny_policy.tokenizer, [ASKED.format("tea")], options.WHOLE)[0])
    asked, _, _ = options._tokenized(tiny_policy, [ASKED.format("tea")], [[" (A)", " (B)"]], np.array([0, 2]))
    (piece,) = options._pieces(asked, 4096)
    shared = next(at for at, (one, other) in enumerate(zip(*own, strict=True)) if one != other)
    assert piece.tree.parts == (size + shared, *[len(one) - 1 - shared - 1 for one in own])


def test_questions_of_one_beginning_share_it(tiny_policy):
    prompts = [ASKED.format("again " * 9 + what) for what in ("tea", "rain", "wool", "chess", "maps")]
    asked, _, _ = options._tokenized(tiny_policy, prompts, [["y", "n"]] * 5, np.arange(0, 11, 2))
    (piece,) = options._pieces(asked, 4096)
    stem = len(piece.tree.prompt)
    assert stem > 5
    assert len(piece.tree) == stem + sum(len(one.read) - stem for one in asked)


def test_options_of_the_same_tokens_and_questions_beyond_the_context_are_left_out_and_told(body, tiny_policy):
    class Lower:
        eos_token_id, bos_token_id = 1, None

        def __call__(self, texts, **_):
            rows = [
                [ord(letter) % 90 + 2 for letter in text.lower()] for text in ([texts] if isinstance(texts, str) else texts)
            ]
            return {"input_ids": rows[0] if isinstance(texts, str) else rows}

    policy = Policy(body("llama"), Lower())
    prompts, answers = (
        ["a" * 20, "b" * 20, "c" * 127, "d" * 128, "e" * 129],
        [["no", "NO"], *[["yes", "nay"]] * 2, ["y", "n"], ["y", "n"]],
    )
    found = options.logps(policy, prompts, answers)
    assert found.left_out == {"alike": [0], "long": [2, 4]}  # the context is 128; a last token is never read
    assert [bool(np.isnan(own).any()) for own in found.logps] == [True, False, True, False, True]


@pytest.mark.parametrize("kind", ["gpt2", "gpt_neox", "qwen2"])
def test_any_causal_body(body, tiny_policy, kind):
    class Words:
        eos_token_id, bos_token_id = 1, None

        def __call__(self, texts, **_):
            rows = [[ord(letter) % 90 + 2 for letter in text] for text in ([texts] if isinstance(texts, str) else texts)]
            return {"input_ids": rows[0] if isinstance(texts, str) else rows}

    policy = Policy(body(kind), Words())
    prompts = ["the same begin " + what for what in ("one", "two", "three", "four", "five", "one")]
    check(policy, prompts, [["y", "n"], ["y", "n"], ["yes", "yet", "no"], *[["y", "n", "x"]] * 3])


def test_a_question_needs_two_options(tiny_policy):
    with pytest.raises(TrainingError, match="needs two options at least, and question 1 has 1"):
        options.logps(tiny_policy, ["a", "b"], [YES_NO, [" Yes"]])
    assert options.logps(tiny_policy, [], []).logps == []


def test_rows_that_are_read_stand_as_those_that_are_learned_from():
    trees = [Tree([5, 6, 7], ([8, 9], [4])), Tree([1]), Tree([2, 3], ([7, 7, 7],))]
    found, expected = laid_out(trees), pack(trees)
    assert found["layout"] == expected["layout"]
    for name in ("input_ids", "position_ids"):
        assert torch.equal(found[name], expected[name])
    assert found["position_ids"].tolist() == [[0, 1, 2, 3, 4, 3, 0, 0, 1, 2, 3, 4]]


def test_picked_logps_by_hand_in_any_chunks():
    hidden, weight = torch.tensor([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    bias = torch.tensor([0.1, 0.0, -0.2])
    rows, targets = torch.tensor([0, 2, 0, 1]), torch.tensor([2, 1, 0, 0])
    logits = {0: [1.1, 2.0, 2.8], 1: [0.6, -1.0, -0.7], 2: [3.1, 0.0, 2.8]}
    expected = [
        logits[row][target] - np.log(np.exp(logits[row]).sum())
        for row, target in zip(rows.tolist(), targets.tolist(), strict=True)
    ]
    for chunk in (1, 2, 0):
        assert picked_logps(hidden, weight, rows, targets, bias, chunk=chunk).tolist() == pytest.approx(expected, abs=1e-5)
