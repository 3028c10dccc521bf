"""Policies with a preference head: what learns, what is left, where rewards are read, and who reads them again."""

import copy
import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rlhf_train import guards, inputs, spec
from rlhf_train.errors import TrainingError
from rlhf_train.evals import reward_accuracy
from rlhf_train.generate import draw, rerank
from rlhf_train.models import judges, policies, preference_heads, preference_judges
from rlhf_train.models.preference_heads import WithPreferenceHead, headed, last_places
from rlhf_train.models.preference_judges import PreferenceJudge
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.packing import Tree, pack
from rlhf_train.run import run
from rlhf_train.text import Lengths
from tests.rlhf_train.conftest import BODIES, SENTENCES, same, table, weights

TREES = [Tree([5, 9, 33], ([40, 7, 1], [8, 1])), Tree([11], ([60, 61, 12, 1], [9, 1]))]
LENGTHS = Lengths(40, 40)


# where rewards are read -------------------------------------------------------------------------------------------------------


def test_rewards_are_read_at_the_last_end_token():
    rows = [[7, 9, 3, 9, 0, 0], [9, 1, 9, 2, 9, 0]]
    assert last_places(rows, 9) == [3, 4]
    with pytest.raises(TrainingError, match=r"the end token \(9\), which the head reads, is missing in rows 1, 2; put it"):
        last_places([[9], [7, 3], []], 9)


def test_padding_that_is_the_end_token_does_not_count():
    rows = [[7, 9, 3, 9, 9, 9]]
    assert last_places(rows, 9) == [5]
    assert last_places(rows, 9, [[True] * 4 + [False] * 2]) == [3]
    with pytest.raises(TrainingError, match="missing in row 0"):
        last_places([[7, 9, 9]], 9, [[True, False, False]])


@pytest.mark.parametrize("kind", BODIES)
def test_packed_rewards_are_those_of_rows_by_themselves(body, kind):
    torch.manual_seed(1)
    model = headed(body(kind), pooler="bert", backbone="full")
    found = inputs.ended_rewards(model, pack(TREES))
    by_hand = []
    for tree in TREES:
        for response in tree.responses:
            hidden = inputs.body_of(model)(input_ids=torch.tensor([[*tree.prompt, *response]])).last_hidden_state
            pooled = (hidden[0, -1] @ model.head.dense.weight.T + model.head.dense.bias).tanh()
            by_hand.append((pooled @ model.head.out.weight[0]).item())
    assert found.tolist() == pytest.approx(by_hand, rel=1e-3, abs=1e-5)
    both = inputs.ended_pair_logps(model, {**pack(TREES), "given": {"ref_chosen_logps": torch.zeros(2)}})
    assert both["chosen_rewards"].tolist() == found[0::2].tolist()
    assert both["rejected_rewards"].tolist() == found[1::2].tolist()
    logps = inputs.sequence_logps(model.policy, pack(TREES))
    assert both["chosen_logps"].tolist() == pytest.approx(logps[0::2].tolist(), rel=1e-5)
    assert both["rejected_logps"].tolist() == pytest.approx(logps[1::2].tolist(), rel=1e-5)
    assert "ref_chosen_logps" in both


def test_a_run_in_half_precision_rounds_no_reward(body):
    torch.manual_seed(1)
    model, states = headed(body("llama"), pooler="bert"), torch.randn(400, 24).bfloat16()
    exact = model.head(states)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(model.rewards(states), exact)
        assert len(model.head(states).unique()) < 0.9 * len(exact.unique())  # and a head by itself would


@pytest.mark.parametrize(
    ("generation", "config", "said"),
    [
        ([3, 7], 1, "reads '</s>', with which the tokenizer ends texts, and the model ends its own with 'w3', 'w7'; set"),
        (None, 4, "the model ends its own with 'w4'"),
        (2, None, None),
        ([1, 2], 5, None),
        (None, None, None),
    ],
)
def test_a_model_that_ends_texts_otherwise_than_its_tokenizer_is_refused(generation, config, said):
    model = SimpleNamespace(
        generation_config=SimpleNamespace(eos_token_id=generation), config=SimpleNamespace(eos_token_id=config)
    )
    tokenizer = SimpleNamespace(
        eos_token_id=2, eos_token="</s>", convert_ids_to_tokens=lambda ids: [f"w{token}" for token in ids]
    )
    if said is None:
        guards.check_end(model, tokenizer)
        return
    with pytest.raises(TrainingError, match=said):
        guards.check_end(model, tokenizer)


def test_a_tokenizer_without_an_end_token_is_refused():
    with pytest.raises(TrainingError, match="a preference head reads the end token and the tokenizer has none"):
        guards.check_end(SimpleNamespace(config=SimpleNamespace()), SimpleNamespace(eos_token_id=None))


# what learns ------------------------------------------------------------------------------------------------------------------


def test_only_head_and_pooler_of_a_frozen_policy_learn(body):
    model = headed(body("llama"), pooler="swiglu_t5")
    assert {name.split(".")[0] for name, held in model.named_parameters() if held.requires_grad} == {"head"}
    assert model.anchor == 0
    for backbone, anchor in (("full", 0.0), ("drawn", 0.5)):
        model = headed(body("llama"), backbone=backbone)
        assert all(held.requires_grad for held in model.parameters())
        assert model.anchor == anchor


def test_new_heads_begin_small_without_bias_and_by_seed(body):
    heads = []
    for seed in (0, 0, 1):
        policy = body("llama")
        torch.manual_seed(seed)
        heads.append(headed(policy).head.out)
    assert heads[0].bias is None
    assert heads[0].weight.shape == (1, 24)
    assert 0.005 < heads[0].weight.std() < 0.05
    assert torch.equal(heads[0].weight, heads[1].weight)
    assert not torch.equal(heads[0].weight, heads[2].weight)


@pytest.mark.parametrize("pooler", ["identity", "swiglu_t5"])
def test_a_frozen_policy_says_bit_for_bit_what_it_said(made, tmp_path, pooler):
    fields = made(objective="direct_preference_head", steps=60, lr=0.01, numbers={"pooler": pooler}, held_out=0.2)
    history = run(spec.of(fields))
    assert history[-1]["loss"] < 0.95 * history[0]["loss"]
    begun, after = (policies.load(tmp_path / place).model for place in ("policy", "out/model"))
    assert same(begun.state_dict(), after.state_dict())
    ids = torch.tensor([[5, 9, 33, 40, 7, 1]])
    assert torch.equal(begun(input_ids=ids).logits, after(input_ids=ids).logits)
    assert "held_out_accuracy" in history[-1]


def trained(made, tmp_path, **changes):
    """The judge that a run leaves, and the run's metrics."""
    history = run(spec.of(made(**{"objective": "direct_preference_head", "steps": 40, "lr": 3e-3, **changes})))
    return judges.load(tmp_path / "out" / "model"), history


def rewards(judge, side):
    columns = table()
    return judge.rewards(columns["prompt"].to_list(), columns[side].to_list())


@pytest.mark.parametrize("kind", ["separable", "contrastive"])
def test_a_run_leaves_a_policy_that_judges_its_own_answers(made, tmp_path, kind):
    judge, history = trained(made, tmp_path, numbers={"kind": kind, "backbone": "full"})
    assert isinstance(judge, PreferenceJudge)
    good, bad = rewards(judge, "chosen"), rewards(judge, "rejected")
    assert reward_accuracy.measure(good, bad).accuracy > 0.95
    if kind == "separable":
        assert good.mean() > 0 > bad.mean()
    asked = table()["prompt"].to_list()[:6]
    said = [[bad_, good_] for good_, bad_ in table().select("chosen", "rejected").rows()[:6]]
    assert rerank(asked, said, judge.rewards) == [pair[1] for pair in said]
    assert history[-1]["reward_size"] < 4
    plain = policies.load(tmp_path / "out" / "model")  # it is an ordinary policy beside
    assert same(plain.model.state_dict(), judge.policy.model.state_dict())


def test_heads_by_seed_and_what_was_saved_is_loaded_bit_for_bit(made, tmp_path):
    judge, _ = trained(made, tmp_path, steps=3, response_tokens=30)
    again = judges.load(judges.save(judge, tmp_path / "again"))
    assert same(judge.model.state_dict(), again.model.state_dict())
    assert again.lengths == judge.lengths
    assert again.lengths.response == 30
    assert np.array_equal(rewards(judge, "chosen"), rewards(again, "chosen"))
    with pytest.raises(TrainingError, match="holds a run with seed 0"):
        trained(made, tmp_path, steps=3, response_tokens=30, seed=1)


@pytest.mark.parametrize("numbers", [{}, {"backbone": "drawn", "pooler": "t5"}])
@pytest.mark.parametrize("until", [2, 5])
def test_a_run_that_was_broken_off_ends_with_the_same_policy_and_head(made, tmp_path, numbers, until):
    fields = made(objective="direct_preference_head", numbers=numbers, lr=1e-2)
    run(spec.of(fields))

    def broken(what, done, of, row):
        if what == "training" and done == until:
            raise KeyboardInterrupt

    fields["out"] = str(tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        run(spec.of(fields), broken)
    run(spec.of(fields))
    assert same(weights(tmp_path / "out"), weights(tmp_path / "broken"))
    whole, resumed = (judges.load(tmp_path / out / "model") for out in ("out", "broken"))
    assert same(whole.model.head.state_dict(), resumed.model.head.state_dict())


def test_a_joint_run_teaches_policy_and_head(made, tmp_path):
    history = run(spec.of(made(objective="joint_preference_head", steps=40, lr=3e-3, numbers={"backbone": "full"})))
    assert history[0]["policy_margin"] == pytest.approx(0, abs=1e-4)
    assert history[0]["policy_loss"] == pytest.approx(np.log(2), rel=1e-4)
    assert history[-1]["policy_margin"] > 0.2
    assert history[-1]["head_loss"] < 0.8 * history[0]["head_loss"]
    judge = judges.load(tmp_path / "out" / "model")
    assert reward_accuracy.measure(rewards(judge, "chosen"), rewards(judge, "rejected")).accuracy > 0.95
    with pytest.raises(TrainingError, match="which backbone 'frozen' forbids"):
        run(spec.of(made(objective="joint_preference_head", numbers={"backbone": "frozen"}, out=str(tmp_path / "none"))))


def test_drawn_policies_stay_nearer_and_an_anchor_of_nothing_is_refused(made, tmp_path):
    moved = []
    for at, changes in enumerate(({"numbers": {"backbone": "full"}}, {"numbers": {"backbone": "drawn"}, "anchor": 200.0})):
        out = tmp_path / f"{at}"
        run(spec.of(made(objective="direct_preference_head", lr=3e-3, steps=20, out=str(out), **changes)))
        begun, after = (policies.load(place).model.state_dict() for place in (tmp_path / "policy", out / "model"))
        moved.append(sum(float((after[name] - begun[name]).square().sum()) for name in begun))
    assert moved[1] < 0.5 * moved[0]
    with pytest.raises(TrainingError, match="backbone is 'drawn' and an anchor of 0 draws nothing back"):
        run(spec.of(made(objective="joint_preference_head", anchor=0.0, out=str(tmp_path / "none"))))


def test_adapters_learn_with_the_head_and_both_are_left(made, tmp_path):
    lora = {"r": 4, "lora_alpha": 8}
    judge, history = trained(made, tmp_path, lora=lora, lr=1e-2, numbers={"backbone": "full", "pooler": "bert"})
    assert history[-1]["accuracy"] > history[0]["accuracy"] or history[-1]["loss"] < history[0]["loss"]
    assert reward_accuracy.measure(rewards(judge, "chosen"), rewards(judge, "rejected")).accuracy > 0.95
    for folder in ("model", "adapter"):
        assert (tmp_path / "out" / folder / preference_heads.WEIGHTS).is_file()
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()
    begun, after = (policies.load(tmp_path / place).model.state_dict() for place in ("policy", "out/model"))
    changed = {name for name in begun if not torch.equal(begun[name], after[name])}
    assert changed
    assert all("_proj" in name for name in changed)
    with pytest.raises(TrainingError, match="lora: adapters can't learn where backbone is 'frozen'"):
        run(spec.of(made(objective="direct_preference_head", lora=lora, out=str(tmp_path / "none"))))


def test_words_that_are_no_choice_are_refused_by_name(made):
    for numbers, said in (
        ({"kind": "both"}, "kind of direct_preference_head must be one of separable, contrastive, got 'both'"),
        ({"backbone": "thawed"}, "backbone of direct_preference_head must be one of frozen, drawn, full, got 'thawed'"),
        ({"pooler": "mean"}, "pooler of direct_preference_head must be one of identity, bert"),
    ):
        with pytest.raises(TrainingError, match=said):
            spec.of(made(objective="direct_preference_head", numbers=numbers))
    assert OBJECTIVES["direct_preference_head"].numbers["backbone"].default == "frozen"
    assert OBJECTIVES["joint_preference_head"].numbers["backbone"].default == "drawn"


def test_an_end_token_that_the_model_never_says_is_refused_before_anything_is_scored(made, tiny_policy, tmp_path):
    other = dataclasses.replace(tiny_policy, model=copy.deepcopy(tiny_policy.model))
    other.model.generation_config.eos_token_id = 7
    model = str(other.save(tmp_path / "other"))
    for objective in ("direct_preference_head", "joint_preference_head"):
        with pytest.raises(TrainingError, match="with which the tokenizer ends texts, and the model ends its own with"):
            run(spec.of(made(objective=objective, model=model)))
        assert not (tmp_path / "out").exists()


# the judge --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def judge(tiny_policy):
    torch.manual_seed(4)
    model = WithPreferenceHead(copy.deepcopy(tiny_policy.model), pooler="bert")
    with torch.no_grad():
        model.head.out.weight.mul_(500)
    return PreferenceJudge(model.eval(), tiny_policy.tokenizer, LENGTHS)


def test_rows_of_tokens_are_scored_as_their_texts_and_cut_ones_are_refused(judge):
    asked, said = table()["prompt"].to_list()[:5], [*table()["chosen"].to_list()[:3], *SENTENCES[1:3]]
    prompts = judge.tokenizer(asked)["input_ids"]
    end = judge.tokenizer.eos_token_id
    responses = [[*ids, end] for ids in judge.tokenizer(said)["input_ids"]]
    texts = judge.rewards(asked, said)
    assert judge.row_rewards(prompts, responses) == pytest.approx(texts, abs=0.05)
    assert judge.row_rewards(prompts, [[*ids, 5, 5] for ids in responses]) == pytest.approx(texts, abs=0.05)
    assert np.ptp(texts) > 0.3
    responses[3] = responses[3][:-1]
    with pytest.raises(TrainingError, match=r"the end token .* is missing in row 3; put it where the response ends"):
        judge.row_rewards(prompts, responses)
    drawn = draw(judge.policy, prompts, most=1, seed=0)
    assert all(ids[-1] != end for ids in drawn)
    with pytest.raises(TrainingError, match="is missing in rows 0, 1, 2, 3, 4"):
        judge.row_rewards(prompts, drawn)


def test_cut_answers_are_read_at_an_end_token_all_the_same(judge):
    short = dataclasses.replace(judge, lengths=Lengths(40, 3))
    asked = ["\n\nHuman: x\n\nAssistant:"] * 3
    same_start = [" The kettle sings.", " The kettle sings. Rain again, and no umbrella.", " Nobody reads."]
    found = short.rewards(asked, same_start)
    assert found[0] == pytest.approx(found[1], abs=1e-3)
    assert abs(found[0] - found[2]) > 1e-3
    assert len(short.rewards(asked[:1], [""])) == 1


def test_the_order_of_rows_and_how_many_stand_together_change_nothing(judge):
    asked, said = table()["prompt"].to_list(), table()["chosen"].to_list()
    whole = judge.rewards(asked, said)
    assert judge.rewards(asked[::-1], said[::-1])[::-1] == pytest.approx(whole, abs=0.05)
    assert judge.rewards(asked, said, tokens=30) == pytest.approx(whole, abs=0.05)
    assert judge.rewards([], []).shape == (0,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"end": "<pad>"}, "its head learned to read '<pad>' and its tokenizer ends texts with '<end>'"),
        ({"pooler": "t5"}, None),  # of the same shape: it is the file that says which
        ({"pooler": "identity"}, "no preference head that was saved here"),
        ({"pooler": "mean"}, "no preference head that was saved here"),
        ({"lengths": {"prompt": 0, "response": 4}}, "no preference head that was saved here"),
        ({"lengths": 3}, "no preference head that was saved here"),
    ],
)
def test_a_spoilt_head_is_refused(judge, tmp_path, change, said):
    judge.save(tmp_path)
    file = tmp_path / preference_heads.FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    if said is None:
        judges.load(tmp_path)
        return
    with pytest.raises(TrainingError, match=said):
        judges.load(tmp_path)


def test_a_head_without_weights_is_refused(judge, tmp_path):
    judge.save(tmp_path)
    (tmp_path / preference_heads.WEIGHTS).write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="no preference head that was saved here"):
        preference_judges.load(tmp_path)
    (tmp_path / preference_heads.WEIGHTS).unlink()
    with pytest.raises(TrainingError, match="no preference head that was saved here"):
        preference_judges.load(tmp_path)


def test_a_policy_learns_from_the_judgement_of_its_like(made, judge, tmp_path):
    judge.save(tmp_path / "judge")
    rounds = {"prompts": 8, "epochs": 1, "n": 4}
    fields = made(objective="sft", reward_model=str(tmp_path / "judge"), rounds=rounds, steps=2, response_tokens=10)
    history = run(spec.of(fields))
    with torch.no_grad():
        judge.model.head.out.weight.mul_(-1)
    judge.save(tmp_path / "judge")
    assert run(spec.of({**fields, "out": str(tmp_path / "other")}))[0]["reward"] != pytest.approx(history[0]["reward"], abs=0.1)
