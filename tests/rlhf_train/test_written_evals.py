"""Rates of written evaluations, by hand."""

import dataclasses

import numpy as np
import pytest

from rlhf_train.errors import TrainingError
from rlhf_train.evals import EVALS, written_evals
from rlhf_train.evals.intervals import interval
from rlhf_train.evals.written_evals import Answers, answer, bounds, measure, normalised, prefer, written
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.options import Scored

LABELS = [" Yes", " No", " No", " Yes"]
CHANCES = [(0.7, 0.2), (0.3, 0.1), (0.1, 0.6), (0.4, 0.45)]  # of Yes and of No


def asked(labels, behaviour="curious", texts=None, options=(" Yes", " No"), **more):
    count = len(labels)
    return {
        "question_id": [f"{behaviour}-{at}" for at in range(count)],
        "behaviour": [behaviour] * count,
        "question": texts or [f"Would you say number {at}?" for at in range(count)],
        "options": [list(options)] * count,
        "matching": [[label] for label in labels],
        **more,
    }


def joined(*tables):
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


def answers(chances, name="policy"):
    return normalised(Scored([np.log(own) for own in chances]), name=name)


def test_the_rate_by_hand():
    questions = asked(LABELS)
    found = measure(answers(CHANCES), questions)
    (rate,) = found.rates
    assert rate.match_rate == found.match_rate == 2 / 4
    assert rate.matching_mass == pytest.approx((0.7 / 0.9 + 0.1 / 0.4 + 0.6 / 0.7 + 0.4 / 0.85) / 4)
    assert rate.matching_mass == pytest.approx(0.588877, abs=1e-6)
    assert rate.option_mass == pytest.approx((0.9 + 0.4 + 0.7 + 0.85) / 4)
    assert (rate.low, rate.high) == interval(np.array([1.0, 0, 1, 0]))
    assert (rate.questions, rate.picked_share, rate.labelled_share) == (4, 1 / 2, 1 / 2)


def test_a_row_a_question():
    found = answers(CHANCES, "twin").columns(asked(LABELS))
    assert found["picked"] == [" Yes", " Yes", " No", " No"]
    assert found["is_matching"] == [True, False, True, False]
    assert found["policy"] == ["twin"] * 4
    assert found["matching_mass"][1] == pytest.approx(0.25)
    assert found["option_mass"] == pytest.approx([0.9, 0.4, 0.7, 0.85])


def test_several_options_may_match():
    questions = asked([" (A)"], options=(" (A)", " (B)", " (C)")) | {"matching": [[" (A)", " (C)"]]}
    found = answers([(0.2, 0.4, 0.3)]).columns(questions)
    assert found["is_matching"] == [False]
    assert found["matching_mass"] == pytest.approx([0.5 / 0.9])


def test_ceiling_and_floor_by_hand():
    confidence = [0.95, 0.9, 0.8, 0.55]
    assert bounds(confidence) == pytest.approx((0.2, 0.8))
    (rate,) = measure(answers(CHANCES), asked(LABELS, label_confidence=confidence)).rates
    assert (rate.floor, rate.ceiling) == pytest.approx((0.2, 0.8))
    assert rate.normalised == pytest.approx((0.5 - 0.2) / 0.6)
    unsure = measure(answers(CHANCES), asked(LABELS, label_confidence=[0.95, None, 0.8, 0.55])).rates[0]
    assert (unsure.ceiling, unsure.normalised) == (None, None)


def test_a_tie_is_not_decided_by_where_options_stand():
    first = answers([(0.5, 0.5)] * 4).columns(asked(LABELS))["picked"]
    turned = answers([(0.5, 0.5)] * 4).columns(asked(LABELS, options=(" No", " Yes")))["picked"]
    assert first == turned == [" No"] * 4


def test_a_repeated_question_counts_once_and_contradictions_nowhere():
    texts = ["a", "b", "b", "b", "c", "c", "d"]
    labels = [" Yes", " No", " No", " No", " Yes", " No", " No"]
    chances = [(0.9, 0.1), (0.2, 0.8), (0.2, 0.8), (0.2, 0.8), (0.9, 0.1), (0.9, 0.1), (0.7, 0.3)]
    found = measure(answers(chances), asked(labels, texts=texts))
    assert found.match_rate == pytest.approx(2 / 3)  # a and b of a, b, d
    assert (found.questions, found.duplicates, found.contradictory) == (3, 3, 2)


def test_contradictions_are_found_whatever_the_order_of_options():
    one, other = asked([" Yes"], texts=["a"]), asked([" No"], texts=["a"], options=(" No", " Yes"))
    rest = asked([" Yes", " No"])
    found = measure(answers([(0.9, 0.1), (0.1, 0.9), (0.6, 0.4), (0.6, 0.4)]), joined(one, other, rest))
    assert (found.questions, found.contradictory) == (2, 2)


def test_the_mean_is_over_behaviours_and_so_is_its_interval():
    big, small = asked([" Yes", " No"] * 10, "big"), asked([" Yes", " No"], "small")
    always_yes, right = [(0.8, 0.2)] * 20, [(0.8, 0.2), (0.2, 0.8)]
    found = measure(answers(always_yes + right), joined(big, small))
    assert found.match_rate == (0.5 + 1) / 2
    assert (found.low, found.high) == interval(np.array([0.5, 1.0]))


def test_one_class_is_refused_or_told_and_never_part_of_the_mean():
    single, both = asked([" Yes", " Yes"], "single"), asked([" Yes", " No"], "both")
    held = answers([(0.8, 0.2)] * 4)
    with pytest.raises(TrainingError, match="all questions of 'single' have the same matching answer"):
        measure(held, joined(single, both))
    found = measure(held, joined(single, both), one_class="report")
    assert [rate.is_one_class for rate in found.rates] == [True, False]
    assert found.match_rate == 0.5


def test_nothing_to_measure_is_said():
    questions = asked([" Yes"]) | {"matching": [[]]}
    with pytest.raises(TrainingError, match="no question was answered that has an option which shows"):
        measure(answers([(0.5, 0.4)]), questions)
    with pytest.raises(TrainingError, match="no question was answered"):
        measure(Answers("policy", np.zeros(0, dtype=int), [], np.zeros(0)), questions)


def test_a_question_is_asked_as_a_dialogue_and_braces_are_text():
    prompts, options = written(asked([" Yes"], texts=["Is {} or {0} a {name}?"]), stem=" I believe the better option is")
    assert prompts == ["\n\nHuman: Is {} or {0} a {name}?\n\nAssistant: I believe the better option is"]
    assert options == [[" Yes", " No"]]
    assert written(asked([" Yes"]), way="announced")[0] != written(asked([" Yes"]))[0]
    with pytest.raises(TrainingError, match="way must be one of plain, announced, got 'rude'"):
        written(asked([" Yes"]), way="rude")


SENTENCE = "The baker told the guest that _ would bake."


def test_a_pronoun_stands_in_the_blank():
    questions = asked([], texts=[]) | {
        "question": [SENTENCE, "_ bakes.", "Is a_b or c_d it?"],
        "options": [["he", "she"]] * 3,
        "matching": [[], [], []],
    }
    prompts, options = written(questions)
    assert prompts[0].endswith(f"{SENTENCE}\n\nAssistant: The baker told the guest that")
    assert options[0] == [" he", " she"]
    assert prompts[1].endswith("_ bakes.\n\nAssistant:")
    assert options[1] == [" he", " she"]
    assert prompts[2].endswith("c_d it?\n\nAssistant:")  # two blanks are none
    assert written(questions, whole=True)[1][0] == [" he would bake.", " she would bake."]


def test_a_policy_is_measured_from_end_to_end(tiny_policy):
    questions = asked(LABELS)
    found = answer(tiny_policy, questions, name="tiny")
    assert all(own.sum() == pytest.approx(1) for own in found.probabilities)
    assert (found.option_mass > 0).all()
    assert EVALS["written_evals"](found, questions).questions == 4


def test_left_out_questions_have_no_row(tiny_policy):
    questions = asked(LABELS, texts=["a", "b" * 5000, "c", "d"])
    found = answer(tiny_policy, questions)
    assert found.places.tolist() == [0, 2, 3]
    assert found.columns(questions)["question_id"] == ["curious-0", "curious-2", "curious-3"]
    assert measure(found, questions).left_out == {"alike": 0, "long": 1}


def test_a_judge_prefers_the_reply_with_the_higher_reward():
    class Judge:
        def rewards(self, prompts, responses):
            return np.array([{" Yes": 2.0, " No": 0.5}[response] for response in responses])

    found = prefer(Judge(), asked(LABELS))
    assert found.probabilities[0].tolist() == pytest.approx([0.817574, 1 - 0.817574], abs=1e-6)
    assert found.option_mass.tolist() == [1.0] * 4
    assert measure(found, asked(LABELS)).rates[0].match_rate == 0.5


def test_a_reward_model_reads_whole_questions(body, tiny_policy):
    model = body("llama", scored=True)  # of 128 tokens
    judge = RewardModel(model, dataclasses.replace(tiny_policy).tokenizer)
    model.resize_token_embeddings(len(judge.tokenizer))
    texts = ["x" * 50 + end for end in ("a", "b")]
    questions = asked([" Yes", " No", " Yes"], texts=["a" + texts[0], "b" + texts[0], "c" * 500])
    found = prefer(judge, questions)
    assert found.places.tolist() == [0, 1]
    assert found.left_out == {"long": [2]}
    prompts, options = written(questions)
    for at in range(2):
        wide = dataclasses.replace(judge, lengths=written_evals.WHOLE).rewards([prompts[at]] * 2, options[at])
        expected = np.exp(wide) / np.exp(wide).sum()
        assert found.probabilities[at] == pytest.approx(expected, abs=1e-4)
    assert found.probabilities[0] != pytest.approx(found.probabilities[1], abs=1e-6)  # their first letters are read
