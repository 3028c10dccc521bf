"""Watched distillation: whose answers an arm learns, what is measured when, and a run that goes on where it was cut off."""

import dataclasses

import numpy as np
import pytest
import torch

from rlhf_train import tracing
from rlhf_train.errors import TrainingError
from rlhf_train.evals import distances
from rlhf_train.models import letters
from rlhf_train.text import Lengths
from rlhf_train.tracing import FILE, TEXT, Arm

LENGTHS = Lengths(2, 2)
PROMPTS = ["ab", "bc", "cd", "da", "ac"]
HELD_OUT = ["bb", "ca"]
TEXTUAL = {"divergence": TEXT}


def policy(seed, **more):
    return letters.made(seed, width=8, lengths=LENGTHS, **more)


@pytest.fixture(scope="module")
def world(one_thread):
    """(oracle, teacher, student): each with a law of its own."""
    return policy(0, spread=2.0), policy(1, spread=1.0), policy(2)


def run(world, arm, folder=None, **more):
    oracle, teacher, student = world
    measures = [tracing.nearest(each, HELD_OUT) for each in (teacher, oracle)]
    settings = {"steps": 12, "batch": 4, "measured": 5, "lr": 1e-2, "seed": 3, **more}
    return tracing.run(teacher, student, arm, PROMPTS, *measures, folder=folder, **settings)


def rows_in(source, steps):
    made = source(0, 0, 1)
    return [sum(int(batch.tensors["owners"].max()) + 1 for batch in next(made)) for _ in range(steps)]


def test_a_stored_arm_learns_so_many_answers_to_each_of_its_prompts(world):
    _, teacher, student = world
    once = tracing.source_of(Arm(stored=3), teacher, student, PROMPTS, batch=64)
    assert rows_in(once, 2) == [15, 15]
    fewer = tracing.source_of(Arm(stored=2, prompts=0.4), teacher, student, PROMPTS, batch=64)
    assert rows_in(fewer, 2) == [4, 4]
    first, second = (next(once(0, 0, 1))[0].tensors["targets"].sort().values for _ in range(2))
    assert torch.equal(first, second)  # drawn once


def test_fresh_answers_are_new_at_every_step_and_a_mixture_has_both(world):
    _, teacher, student = world
    fresh = tracing.source_of(Arm(fresh=1.0), teacher, student, PROMPTS, batch=16)
    steps = [next(iter(step)).tensors["input_ids"] for step, _ in zip(fresh(0, 0, 1), range(3), strict=False)]
    assert len({tuple(ids.flatten().tolist()) for ids in steps}) == 3
    mixed = tracing.source_of(Arm(stored=2, fresh=0.25), teacher, student, PROMPTS, batch=8)
    step = next(mixed(0, 0, 1))
    assert [round(batch.share, 6) for batch in step] == [0.75, 0.25]
    assert [int(batch.tensors["owners"].max()) + 1 for batch in step] == [6, 2]


def test_a_student_that_speaks_speaks_as_it_is_now(world):
    _, teacher, student = world
    mute = dataclasses.replace(student, model=letters.made(5, width=8, lengths=LENGTHS).model)
    with torch.no_grad():
        mute.model.lm_head.weight.zero_()
        source = tracing.source_of(Arm(fresh=1.0, speaker="student"), teacher, mute, PROMPTS, batch=8)(0, 0, 1)
        said = next(source)[0].tensors["targets"]
        assert len(set(said.tolist())) > 2
        mute.model.transformer.ln_f.bias.fill_(1.0)
        mute.model.transformer.ln_f.weight.zero_()
        mute.model.lm_head.weight[2].fill_(10.0)  # from now on it says "a" alone
        assert set(next(source)[0].tensors["targets"].tolist()) == {2}


@pytest.mark.parametrize(
    "wrong", [{"stored": 0}, {"prompts": 0.0}, {"prompts": 1.5}, {"fresh": -0.1}, {"fresh": 1.1}, {"speaker": "oracle"}]
)
def test_an_arm_that_has_no_answers_is_refused(wrong):
    with pytest.raises(TrainingError, match="an arm has stored answers"):
        Arm(**wrong)


def test_a_trace_begins_with_the_student_as_it_was_and_ends_with_the_one_returned(world):
    oracle, teacher, student = world
    before = distances.exact(teacher, student, HELD_OUT)
    learned, trace = run(world, Arm(stored=2))
    assert trace.steps.tolist() == [0, 1, 2, 3, 6, 12]  # 12 ** (k / 4): 1, 1.86, 3.46, 6.45, 12
    assert trace.proxy[0] == pytest.approx(before)
    assert distances.exact(teacher, student, HELD_OUT) == pytest.approx(before)  # it stays as it was
    assert trace.proxy[-1] == pytest.approx(distances.exact(teacher, learned, HELD_OUT))
    assert trace.golden[-1] == pytest.approx(distances.exact(oracle, learned, HELD_OUT))
    assert trace.proxy[-1].mean() < trace.proxy[0].mean()
    assert np.isnan(trace.losses[0])
    assert np.isfinite(trace.losses[1:]).all()


def test_arms_of_one_seed_see_the_same_first_student(world):
    traces = [run(world, arm, steps=2)[1] for arm in (Arm(), Arm(fresh=1.0), Arm(fresh=0.5))]
    assert len({tuple(trace.proxy[0]) for trace in traces}) == 1
    assert len({tuple(trace.proxy[-1]) for trace in traces}) == 3


@pytest.mark.parametrize("arm", [Arm(stored=2), Arm(fresh=1.0), Arm(fresh=1.0, speaker="student"), Arm(fresh=0.5)])
def test_a_run_that_was_cut_off_goes_on_to_the_same_trace(world, tmp_path, arm):
    whole, expected = run(world, arm)

    def cut(done, of):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(world, arm, tmp_path, watch=cut)
    with (tmp_path / FILE).open("a") as file:
        file.write('{"step": 9, "prox')  # what a line looks like when the power goes
    again, trace = run(world, arm, tmp_path)
    assert trace.steps.tolist() == expected.steps.tolist()
    for name in ("proxy", "golden", "losses"):
        assert getattr(trace, name) == pytest.approx(getattr(expected, name), nan_ok=True)
    both = zip(whole.model.parameters(), again.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in both)


def test_people_s_answers_stand_for_an_oracle(world):
    _, teacher, student = world
    found = tracing.surprise(HELD_OUT, ["ad", "c"])(student)
    for prompt, said, nats in zip(HELD_OUT, ["ad", "c"], found, strict=True):
        ids = [student.tokenizer(text)["input_ids"] for text in (prompt, said)]
        ids[1] = [*ids[1], student.tokenizer.eos_token_id]
        with torch.no_grad():
            logps = student.model(input_ids=torch.tensor([[*ids[0], *ids[1]]])).logits[0].log_softmax(-1)
        assert nats == pytest.approx(-sum(float(logps[len(ids[0]) + at - 1, word]) for at, word in enumerate(ids[1])), rel=1e-5)
    _, trace = tracing.run(
        teacher, student, Arm(), PROMPTS, tracing.nearest(teacher, HELD_OUT), None, steps=2, batch=4, measured=2
    )
    assert trace.golden is None
    assert trace.proxy.shape == (3, 2)


def test_prefixes_too_many_to_walk_are_drawn(world):
    _, teacher, student = world
    exact = tracing.nearest(teacher, HELD_OUT)(student)
    drawn = tracing.nearest(teacher, HELD_OUT, n=400, walked=1, seed=1)
    assert drawn(student) == pytest.approx(exact, rel=0.15)
    assert drawn(student).tolist() == drawn(student).tolist()  # of answers drawn once
    assert drawn(teacher) == pytest.approx([0, 0], abs=1e-6)


def test_a_student_of_other_tokens_is_refused(world):
    oracle, teacher, _ = world
    other = letters.made(2, letters="dcba", width=8, lengths=LENGTHS)
    with pytest.raises(TrainingError, match="other tokenizers"):
        run((oracle, teacher, other), Arm())


def test_text_alone_is_learned_by_its_likelihood(world):
    """A student that learns one answer for long says nothing else, whatever the teacher's law is; one that learns laws does."""
    _, teacher, student = world
    many = {"steps": 300, "lr": 3e-2, "batch": 1}
    said, _ = tracing.run(teacher, student, Arm(), ["ab"], *[tracing.nearest(teacher, ["ab"])] * 2, **many, numbers=TEXTUAL)
    law, _ = tracing.run(teacher, student, Arm(), ["ab"], *[tracing.nearest(teacher, ["ab"])] * 2, **many)
    (tree,) = distances.drawn(teacher, ["ab"], n=1, seed=0)
    (answer,) = {tuple(tree.responses[0]) for tree in distances.drawn(said, ["ab"], n=50)}
    assert list(answer) == list(tree.responses[0])
    assert len({tuple(tree.responses[0]) for tree in distances.drawn(law, ["ab"] * 50, n=1)}) > 1


def test_its_own_text_teaches_a_student_nothing(world):
    with pytest.raises(TrainingError, match="learns nothing of the likelihood of its own answers"):
        run(world, Arm(fresh=1.0, speaker="student"), numbers=TEXTUAL)
