"""A student and its teacher: the loss by hand, whole and kept laws, whoever speaks, and runs from one spec."""

import copy
import dataclasses
from math import log

import numpy as np
import polars as pl
import pytest
import torch

from rlhf_train import batches, distilling, precompute, rollouts
from rlhf_train.divergences import DIVERGENCES
from rlhf_train.errors import TrainingError
from rlhf_train.evals import distances
from rlhf_train.models import policies
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.objectives.distillation import loss
from rlhf_train.rollouts import Round
from rlhf_train.run import run
from rlhf_train.spec import Spec
from rlhf_train.text import Lengths, train_tokenizer
from rlhf_train.train import fit

LENGTHS = Lengths(24, 12)
COLUMNS = {
    "prompt": [f"\n\nHuman: say {at % 5}\n\nAssistant:" for at in range(12)],
    "response": [f" The kettle sings{' again' * (at % 3)}." for at in range(12)],
}


@pytest.fixture(scope="module")
def pair(tiny_policy):
    """(teacher, student): of one tokenizer, and apart."""
    student = copy.deepcopy(tiny_policy.model)
    torch.manual_seed(3)
    with torch.no_grad():
        for weights in student.parameters():
            weights.add_(0.05 * torch.randn_like(weights))
    return dataclasses.replace(tiny_policy, lengths=LENGTHS), Policy(student, tiny_policy.tokenizer, LENGTHS)


def batch_of(policy, **given):
    rows = distilling.rows({**COLUMNS, **given}, policy.tokenizer, LENGTHS)
    return rows.pack(np.arange(len(rows)))


def plain(teacher, student, call):
    """[responses] of [tokens], by transformers alone."""
    found = []
    for prompt, said in zip(COLUMNS["prompt"], COLUMNS["response"], strict=True):
        ids = [teacher.tokenizer(text)["input_ids"] for text in (prompt, said)]
        ids[1] = [*ids[1], teacher.tokenizer.eos_token_id]
        with torch.no_grad():
            laws = [
                held.model(input_ids=torch.tensor([[*ids[0], *ids[1]]])).logits[0, len(ids[0]) - 1 : -1].log_softmax(-1)
                for held in (teacher, student)
            ]
        found.append(call(*laws).tolist())
    return found


def test_each_response_counts_alike():
    found = loss(torch.tensor([1.0, 3.0, 5.0, 7.0, 9.0]), torch.tensor([0, 0, 1, 1, 1]))
    assert found.loss.item() == pytest.approx(((1 + 3) / 2 + (5 + 7 + 9) / 3) / 2)
    assert found.metrics["nats"].item() == pytest.approx(((1 + 3) + (5 + 7 + 9)) / 2)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_a_teacher_that_is_asked_says_what_transformers_says(pair, name):
    teacher, student = pair
    made = distilling.live(student.model, batch_of(student), teacher=teacher.model, divergence=name)
    expected = plain(teacher, student, DIVERGENCES[name])
    assert made["divergences"].tolist() == pytest.approx([each for part in expected for each in part], rel=1e-3, abs=1e-6)
    assert loss(**made).loss.item() == pytest.approx(np.mean([np.mean(part) for part in expected]), rel=1e-3)


def test_a_law_that_is_kept_whole_is_the_teacher_s(pair, tmp_path):
    teacher, student = pair
    whole = distilling.live(student.model, batch_of(student), teacher=teacher.model)["divergences"]
    vocabulary = len(teacher.model.get_output_embeddings().weight)
    for _ in range(2):  # made, then read
        given = precompute.teacher_laws(teacher, COLUMNS, LENGTHS, top_k=vocabulary + 9, cache=tmp_path)
        kept = distilling.kept(student.model, batch_of(student, **given))["divergences"]
        assert kept.tolist() == pytest.approx(whole.tolist(), rel=1e-3, abs=1e-6)


def test_a_kept_law_is_never_further_and_the_more_is_kept_the_nearer(pair):
    teacher, student = pair
    whole = distilling.live(student.model, batch_of(student), teacher=teacher.model)["divergences"].detach()
    short = []
    for top_k in (1, 4, 32):
        given = precompute.teacher_laws(teacher, COLUMNS, LENGTHS, top_k=top_k)
        assert given["teacher_ids"][0].shape[1] == top_k
        kept = distilling.kept(student.model, batch_of(student, **given))["divergences"].detach()
        assert (kept <= whole + 1e-4).all()
        short.append(float((whole - kept).mean()))
    assert short[0] > short[1] > short[2] >= -1e-4


def test_the_kept_law_by_hand():
    """Two of four tokens are kept: the others count as one."""
    head = torch.nn.Linear(3, 4, bias=False)
    states = torch.tensor([[0.3, -1.0, 0.6]])
    own = head(states).detach().softmax(-1)[0]
    ids, logps = torch.tensor([[2, 0]]), torch.tensor([[0.5, 0.3]]).log()
    [found] = distilling._bucketed(DIVERGENCES["forward_kl"], logps, ids, states, head).tolist()
    rest = float(own[1] + own[3])
    assert found == pytest.approx(
        0.5 * log(0.5 / float(own[2])) + 0.3 * log(0.3 / float(own[0])) + 0.2 * log(0.2 / rest), abs=1e-6
    )


def test_a_student_becomes_its_teacher(pair):
    teacher, student = pair
    objective = dataclasses.replace(
        OBJECTIVES["distillation"],
        inputs=lambda model, batch, **numbers: distilling.live(model, batch, teacher=teacher.model, **numbers),
    )
    learned = copy.deepcopy(student)
    source = batches.shuffled(distilling.rows(COLUMNS, student.tokenizer, LENGTHS), size=12)
    history = fit(learned.model, objective, source, steps=60, lr=3e-3, weight_decay=0.0, mixed_precision="no")
    assert history[-1]["loss"] < 0.05 * history[0]["loss"]
    trees = distances.drawn(teacher, COLUMNS["prompt"][:5], n=4)
    before, after = (np.concatenate(distances.measure(teacher, each, trees)).mean() for each in (student, learned))
    assert after < before


@pytest.mark.parametrize("speaker", ["teacher", "student"])
def test_fresh_responses_are_those_of_who_speaks_and_new_at_every_visit(pair, speaker):
    held = pair[speaker == "student"]
    source = rollouts.fresh(held, COLUMNS["prompt"][:5], Round(prompts=4, epochs=1, batch=4), seed=2)
    steps = [next(source(at, 0, 1)) for at in (0, 1, 0)]
    texts = [[batch.tensors["targets"].tolist() for batch in step] for step in steps]
    assert texts[0] == texts[2] != texts[1]
    other = rollouts.fresh(pair[speaker == "teacher"], COLUMNS["prompt"][:5], Round(prompts=4, epochs=1, batch=4), seed=2)
    assert [batch.tensors["targets"].tolist() for batch in next(other(0, 0, 1))] != texts[0]


@pytest.fixture
def asked(pair, tmp_path):
    """`asked(**changes)`: a spec of seconds."""
    for name, held in zip(("teacher", "student"), pair, strict=True):
        held.save(tmp_path / name)
    pl.DataFrame(COLUMNS).write_parquet(tmp_path / "table.parquet")
    fields = {
        "objective": "distillation",
        "data": str(tmp_path / "table.parquet"),
        "model": str(tmp_path / "student"),
        "teacher": str(tmp_path / "teacher"),
        "out": str(tmp_path / "out"),
        "steps": 8,
        "batch": 4,
        "mixed_precision": "no",
        "prompt_tokens": 24,
        "response_tokens": 12,
    }
    return lambda **changes: Spec(**{**fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"numbers": {"top_k": 8, "divergence": "jeffreys"}},
        {"speaker": "teacher"},
        {"speaker": "student", "numbers": {"divergence": "skewed_jensen_shannon", "skew": 0.3}},
        {"held_out": 0.4, "eval_every": 4},
    ],
)
def test_a_run_of_each(asked, tmp_path, changes):
    spec = asked(**changes)
    history = run(spec)
    assert len(history) == 8
    assert history[-1]["loss"] < history[0]["loss"]
    assert policies.load(tmp_path / "out" / "model").model.num_parameters() > 1000
    assert run(spec) == history  # finished, and left as it is


def test_another_teacher_is_another_run(asked, pair, tmp_path):
    run(asked())
    pair[1].save(tmp_path / "teacher")
    with pytest.raises(TrainingError, match="teacher"):
        run(asked())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"teacher": None}, "distillation needs a teacher, and nothing else has one; got None"),
        ({"objective": "sft"}, "nothing else has one"),
        ({"speaker": "oracle"}, "speaker must be one of table, teacher, student"),
        ({"speaker": "student", "numbers": {"top_k": 4}}, "from whole laws"),
        ({"speaker": "teacher", "held_out": 0.2}, "none is held out"),
        ({"numbers": {"divergence": "kl"}}, "divergence of distillation must be one of forward_kl"),
        ({"numbers": {"top_k": -1}}, "top_k must be 0"),
        ({"numbers": {"skew": 1.5, "divergence": "skewed_jensen_shannon"}}, "skew is the teacher's share"),
    ],
)
def test_what_can_not_be_learned_is_refused_by_name(asked, changes, word):
    with pytest.raises(TrainingError, match=word):
        run(asked(**changes))


def test_a_student_of_other_tokens_is_refused(asked, pair, tmp_path):
    strange = train_tokenizer(["another text"] * 9, vocabulary=300)
    Policy(pair[0].model, strange).save(tmp_path / "teacher")
    with pytest.raises(TrainingError, match="other tokenizers; take models of one tokenizer"):
        run(asked())
