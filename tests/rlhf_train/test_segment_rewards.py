"""Rewards of segments as rewards of tokens: by plain forward passes, saved and loaded, and from one spec to the next."""

import copy
import json
import re

import numpy as np
import pytest
import torch

from rlhf_train import spec
from rlhf_train.errors import TrainingError
from rlhf_train.models import judges, policies, reward_models, segment_rewards
from rlhf_train.models.policies import Policy
from rlhf_train.models.segment_rewards import SegmentRewards, fitted
from rlhf_train.normalisers import ByPosition, Overall, by_position
from rlhf_train.packing import Tree
from rlhf_train.run import run
from rlhf_train.text import Lengths, train_tokenizer

LENGTHS = Lengths(24, 24)
CUTOFF = 2.5
PHI = ByPosition(0.7668, 0.2569, 0.4705, 2.8339)
PROMPTS = [f"\n\nHuman: say {at}\n\nAssistant:" for at in range(4)]
SAID = [" The kettle sings. Rain again", " Rain.", " A red bicycle waits outside. Nobody reads the manual.", " No"]


@pytest.fixture(scope="module")
def models(tiny_policy, tmp_path_factory):
    """(reward model, reference): of random score and of other weights, so that neither passes for the other."""
    place = tiny_policy.save(tmp_path_factory.mktemp("models") / "policy")
    reward_model = reward_models.load(place, lengths=LENGTHS, seed=3)
    with torch.no_grad():
        reward_model.model.score.weight.mul_(20)
        for weights in reward_model.model.base_model.parameters():
            weights.mul_(1.05)
    return reward_model, policies.load(place)


def made(models, normaliser=PHI, **how):
    return SegmentRewards(*models, normaliser, **{"cutoff": CUTOFF, **how})


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)


def plainly(models, tree):
    """Values and entropies of a response's tokens, one plain forward pass each."""
    ids, begin = torch.tensor([[*tree.prompt, *tree.responses[0]]]), len(tree.prompt)
    reward_model, reference = models
    with torch.no_grad():
        states = reward_model.model.base_model(input_ids=ids).last_hidden_state[0, begin:]
        logps = reference.model(input_ids=ids).logits[0, begin:].log_softmax(-1)
        return reward_model.model.score(states)[:, 0].numpy(), -(logps.exp() * logps).sum(-1).numpy()


def test_rewards_of_tokens_by_plain_passes(models):
    judge = made(models)
    trees = judge.trees(PROMPTS, SAID)
    got, several = judge.token_rewards(trees), 0
    for tree, found in zip(trees, got, strict=True):
        values, entropies = plainly(models, tree)
        ends = sorted({at for at in range(len(values) - 2) if entropies[at] > CUTOFF} | {len(values) - 2})
        wanted, start = np.zeros(len(values)), 0
        for number, end in enumerate(ends, start=1):
            p = number / len(ends)
            scaled = (values[end] - 0.7668 * np.log(p) - 0.4705) / (0.2569 * np.log(p) + 2.8339)
            wanted[start : end + 1] = scaled / (end + 1 - start)
            start = end + 1
        assert found.tolist() == pytest.approx(wanted.tolist(), rel=1e-4, abs=1e-5)
        assert found[-1] == 0
        several += len(ends) > 1
    assert several > 1


def test_the_order_of_answers_changes_nothing(models):
    judge = made(models)
    trees = judge.trees(PROMPTS, SAID)
    straight, turned = judge.token_rewards(trees), judge.token_rewards(trees[::-1])[::-1]
    for one, other in zip(straight, turned, strict=True):
        assert one.tolist() == pytest.approx(other.tolist(), abs=1e-5)


def test_one_segment_a_response_is_the_reward_model_s_own_at_the_end(models):
    judge = made(models, Overall(), granularity="bandit", spread="end", clip=100.0)
    plain = models[0].rewards(PROMPTS, SAID)
    for found, reward in zip(judge.token_rewards(judge.trees(PROMPTS, SAID)), plain, strict=True):
        assert found.tolist() == pytest.approx([0.0] * (len(found) - 1) + [reward], rel=1e-4)
    assert judge.rewards(PROMPTS, SAID).tolist() == pytest.approx(plain.tolist(), rel=1e-4)


@pytest.mark.parametrize("aggregate", ["mean", "sum", "last"])
def test_the_reward_of_a_response_is_that_of_its_segments(models, aggregate):
    judge = made(models, aggregate=aggregate)
    found = judge.segments(judge.trees(PROMPTS, SAID))
    parts = found.values.split(found.ends.long().new_zeros(4).index_add(0, found.owners, found.ends.long()).tolist())
    wanted = [{"mean": part.mean(), "sum": part.sum(), "last": part[-1]}[aggregate].item() for part in parts]
    assert judge.rewards(PROMPTS, SAID).tolist() == pytest.approx(wanted, rel=1e-5)
    assert max(map(len, parts)) > 1
    assert judge.rewards([], []).tolist() == []


@pytest.mark.parametrize("how", [{}, {"granularity": "bandit"}, {"granularity": "bandit", "spread": "end"}, {"spread": "end"}])
def test_an_answer_that_did_not_end_is_scored_as_if_it_had(models, how):
    judge, end = made(models, **how), models[0].tokenizer.eos_token_id
    [whole] = judge.trees(PROMPTS[:1], SAID[:1])
    assert whole.responses[0][-1] == end
    broken = Tree(whole.prompt, (whole.responses[0][:-1],))
    [wanted], [found] = judge.token_rewards([whole]), judge.token_rewards([broken])
    assert found.tolist() == pytest.approx([*wanted[:-2], wanted[-2] + wanted[-1]])
    assert found.sum() == pytest.approx(wanted.sum())
    [alone] = judge.token_rewards([Tree(whole.prompt, ([end],))])
    assert len(alone) == 1


@pytest.mark.parametrize("total", ["mean", "gain"])
def test_rewards_of_tokens_may_add_up_to_the_mean_of_segments(models, total):
    trees = made(models).trees(PROMPTS, SAID)
    counts = torch.bincount(made(models).segments(trees).own).tolist()
    both = zip(made(models).token_rewards(trees), made(models, total=total).token_rewards(trees), counts, strict=True)
    for summed, mean, count in both:
        assert mean.sum() == pytest.approx(summed.sum() / count)
        assert total == "gain" or mean.tolist() == pytest.approx((summed / count).tolist())
    assert max(counts) > 1


def test_an_answer_that_did_not_end_may_have_a_reward_of_its_own(models):
    [whole, other] = made(models).trees(PROMPTS[:2], SAID[:2])
    broken = Tree(whole.prompt, (whole.responses[0][:-1],))
    found = made(models, unended=-0.05).token_rewards([broken, other])
    assert found[0].tolist() == [-0.05] * (len(whole.responses[0]) - 1)
    assert found[1].tolist() == pytest.approx(made(models).token_rewards([other])[0].tolist())


def test_no_token_gets_more_than_the_clip(models):
    free, held = (
        np.concatenate(made(models, clip=clip).token_rewards(made(models).trees(PROMPTS, SAID))) for clip in (9.0, 0.05)
    )
    assert np.abs(free).max() > 0.05
    assert held.tolist() == pytest.approx(free.clip(-0.05, 0.05).tolist())


def test_fitted_to_what_it_says_of_both_sides(models):
    columns = {"prompt": PROMPTS, "chosen": SAID, "rejected": SAID[::-1]}
    judge = fitted(*models, columns, cutoff=CUTOFF, spread="repeat")
    found = judge.segments(judge.trees(PROMPTS * 2, SAID + SAID[::-1]))
    assert judge.spread == "repeat"
    assert judge.normaliser == by_position(found.values.numpy(), found.positions)
    bandit = fitted(*models, columns, granularity="bandit")
    rewards = models[0].rewards(PROMPTS * 2, SAID + SAID[::-1])
    assert bandit.reference is None
    assert isinstance(bandit.normaliser, Overall)
    assert (bandit.normaliser.mean, bandit.normaliser.std) == pytest.approx((rewards.mean(), rewards.std()), rel=1e-4)
    few = fitted(*models, columns, granularity="bandit", most=4).normaliser
    assert few.mean == pytest.approx(models[0].rewards([*PROMPTS[:2]] * 2, [*SAID[:2], *SAID[:1:-1]]).mean(), rel=1e-4)


@pytest.mark.parametrize("how", [{}, {"granularity": "token", "spread": "repeat", "clip": 3.0, "aggregate": "sum"}])
def test_it_says_the_same_again(models, tmp_path, how):
    judge = made(models, **how) if how == {} else made((models[0], None), Overall(0.3, 2.0), **how)
    again = judges.load(judges.save(judge, tmp_path / "judge"))
    trees = judge.trees(PROMPTS, SAID)
    assert isinstance(again, SegmentRewards)
    assert again.digest() == judge.digest()
    assert (again.facts(), again.normaliser, again.reward_model.lengths) == (judge.facts(), judge.normaliser, LENGTHS)
    for one, other in zip(judge.token_rewards(trees), again.token_rewards(trees), strict=True):
        assert one.tolist() == other.tolist()


def test_its_digest_is_of_all_that_rewards_depend_on(models):
    reward_model, reference = models
    other = Policy(copy.deepcopy(reference.model), reference.tokenizer)
    with torch.no_grad():
        other.model.lm_head.weight[0] += 1
    changed = [made(models, spread="end"), made(models, clip=9.0), made(models, Overall()), made((reward_model, other))]
    assert len({made(models).digest(), *(judge.digest() for judge in changed)}) == 5


@pytest.mark.parametrize("facts", ["", "[]", '{"granularity": "entropy", "width": 3}'])
def test_a_folder_that_holds_something_else_is_named(models, tmp_path, facts):
    made(models).save(tmp_path)
    (tmp_path / segment_rewards.FILE).write_text(facts)
    with pytest.raises(TrainingError, match=r"segment_rewards\.json: no segment rewards that were saved here"):
        judges.load(tmp_path)


def test_what_can_not_serve_is_named(models, tmp_path):
    with pytest.raises(TrainingError, match="segments by entropy need the reference that they were cut by"):
        made((models[0], None))
    for wrong in ({"granularity": "word"}, {"spread": "evenly"}, {"aggregate": "max"}, {"total": "all"}):
        with pytest.raises(TrainingError, match=rf"{next(iter(wrong))} must be one of .*, got '{next(iter(wrong.values()))}'"):
            made(models, **wrong)
    strange = Policy(models[1].model, train_tokenizer(["another text"] * 9, vocabulary=300))
    with pytest.raises(TrainingError, match="this policy has others than the reward model has"):
        made(models).check(strange)
    with pytest.raises(TrainingError, match="the model's context is 1024; lower prompt_tokens"):
        made(models).check(Policy(models[1].model, models[1].tokenizer, Lengths(900, 400)))
    made(models).check(models[1])


@pytest.fixture
def learned(made_spec):
    """`learned(**changes)`: a run of the objective on a spec's table; its fields."""

    def of(**changes):
        fields = made_spec(objective="segments", numbers={"cutoff": CUTOFF}, steps=6, response_tokens=24, **changes)
        return fields, run(spec.of(fields))

    return of


@pytest.fixture
def made_spec(request):
    return request.getfixturevalue("made")


def test_what_a_run_learns_is_saved_whole_and_teaches_a_policy(learned, made_spec, tmp_path):
    _, history = learned(held_out=0.2)
    assert 1 < history[0]["segments"] < 24
    assert "held_out_accuracy" in history[-1]
    judge = judges.load(tmp_path / "out" / "model")
    assert isinstance(judge.normaliser, ByPosition)
    assert (judge.granularity, judge.cutoff, judge.reward_model.lengths.response) == ("entropy", CUTOFF, 24)
    begun = policies.load(tmp_path / "policy").model.state_dict()
    assert all(torch.equal(weights, begun[name]) for name, weights in judge.reference.model.state_dict().items())
    assert json.loads((tmp_path / "out" / "model" / "model_card.json").read_text())["objective"] == "segments"

    rounds = {"prompts": 8, "epochs": 1, "batch": 8}
    taught = made_spec(
        objective="ppo", reward_model=str(tmp_path / "out" / "model"), rounds=rounds, out=str(tmp_path / "taught")
    )
    told = run(spec.of({**taught, "steps": 3, "response_tokens": 10, "kl_budget": 1000}))
    assert len(told) == 3
    assert all(np.isfinite(row["reward"]) for row in told)
    (tmp_path / "out" / "model" / segment_rewards.FILE).write_text(json.dumps({**judge.facts(), "spread": "end"}))
    with pytest.raises(TrainingError, match="holds a run with reward_model"):
        run(spec.of({**taught, "steps": 3, "response_tokens": 10, "kl_budget": 1000}))


def test_a_run_goes_by_the_rewards_of_tokens(learned, made_spec, tmp_path):
    """With no KL and values of 0 as they begin, what the first round tells is the mean of what the judge says."""
    learned()
    judge = judges.load(tmp_path / "out" / "model")
    asked = []
    plain = SegmentRewards.token_rewards

    def watched(self, trees):
        found = plain(self, trees)
        asked.append((trees, found))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SegmentRewards, "token_rewards", watched)
        rounds = {"prompts": 8, "epochs": 1, "batch": 8}
        fields = made_spec(
            objective="ppo", reward_model=str(tmp_path / "out" / "model"), rounds=rounds, out=str(tmp_path / "on")
        )
        [row] = run(spec.of({**fields, "steps": 1, "response_tokens": 10}))
    [(trees, found)] = asked
    assert row["reward"] == pytest.approx(np.mean([part.sum() for part in found]), rel=1e-5)
    for one, other in zip(found, judge.token_rewards(trees), strict=True):
        assert one.tolist() == pytest.approx(other.tolist(), abs=1e-5)


def test_one_segment_a_response_learns_as_bradley_terry(made_spec, learned, tmp_path):
    fields, history = learned()
    run(spec.of({**fields, "numbers": {"granularity": "bandit"}, "out": str(tmp_path / "bandit")}))
    plain = {**fields, "numbers": {}, "objective": "bradley_terry", "out": str(tmp_path / "plain")}
    theirs = run(spec.of(plain))
    ours = [json.loads(line) for line in (tmp_path / "bandit" / "metrics.jsonl").open()]
    assert [row["loss"] for row in ours] == pytest.approx([row["loss"] for row in theirs], rel=1e-6)
    assert [row["loss"] for row in history] != pytest.approx([row["loss"] for row in theirs], rel=1e-3)
    bandit, model = judges.load(tmp_path / "bandit" / "model"), judges.load(tmp_path / "plain" / "model")
    assert bandit.rewards(PROMPTS, SAID).tolist() == pytest.approx(model.rewards(PROMPTS, SAID).tolist(), rel=1e-4)


def test_another_reference_cuts_other_segments(learned, tmp_path):
    other = tmp_path / "other"
    policies.make(["The kettle sings. Rain again."] * 40, vocabulary=400, width=48, layers=1, steps=3, batch=4).save(other)
    _, first = learned()
    with pytest.raises(TrainingError, match=r"entropies of row \d+ are \d+ numbers"):
        learned(reference=str(other), out=str(tmp_path / "second"))
    moved = policies.load(tmp_path / "policy")
    with torch.no_grad():
        moved.model.lm_head.weight.mul_(3.0)
    moved.save(tmp_path / "moved")
    _, second = learned(reference=str(tmp_path / "moved"), out=str(tmp_path / "third"))
    assert second[0]["segments"] != first[0]["segments"]


def test_a_reward_model_s_folder_is_no_reference(learned, made_spec, tmp_path):
    reward_models.load(tmp_path / "policy" if (tmp_path / "policy").is_dir() else made_spec()["model"]).save(
        tmp_path / "scored"
    )
    with pytest.raises(TrainingError, match=re.escape("scored: is no language model, it has a reward model's score.weight")):
        learned(model=str(tmp_path / "scored"))
    _, history = learned(model=str(tmp_path / "scored"), reference=made_spec()["model"])
    assert len(history) == 6


def test_a_body_without_a_language_head_is_no_policy(body, tiny_policy, tmp_path):
    body("llama").base_model.save_pretrained(tmp_path)
    tiny_policy.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match=r"is no language model, it has no lm_head\.weight; name a policy"):
        policies.load(tmp_path)


def test_an_encoder_is_refused_by_name(learned):
    from checks.encoding import minilm_folder

    with pytest.raises(
        TrainingError, match="segments reads a response from left to right, which BertForSequenceClassification does not"
    ):
        learned(model=minilm_folder())


def test_the_numbers_of_the_objective_are_checked_by_name(made_spec):
    for numbers, said in (
        ({"granularity": "word"}, "granularity of segments must be one of entropy, sentence, token, bandit, got 'word'"),
        ({"aggregate": "max"}, "aggregate of segments must be one of mean, sum, last, got 'max'"),
        ({"cutoff": "high"}, "cutoff of segments must be a finite number, got 'high'"),
    ):
        with pytest.raises(TrainingError, match=said):
            spec.of(made_spec(objective="segments", numbers=numbers))
