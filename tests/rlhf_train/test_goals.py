"""The goal-conditioned contrast: its value by hand, its forms, its bounds, and where states are read."""

import math

import pytest
import torch

from rlhf_train import positions
from rlhf_train.errors import TrainingError
from rlhf_train.objectives import goals
from rlhf_train.similarity import cosine, unit

HALF = math.sqrt(0.5)
SOURCES, GOALS = [[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [2.0, 0.0]]
OTHERS, NEGATIVES = [[1.0, 0.0], [1.0, 1.0]], [[-1.0, 0.0], [0.0, -1.0]]


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def mean(values):
    return sum(values) / len(values)


def states(*rows, **kwargs):
    return [torch.tensor([row], dtype=torch.float64, **kwargs) for row in rows]


def worked(**numbers):
    """A worked row, with rewards 0.8 and -0.1."""
    rewards = [torch.tensor([value], dtype=torch.float64) for value in (0.8, -0.1)]
    return goals.loss(*rewards, *states(SOURCES, GOALS, OTHERS, NEGATIVES), **numbers)


def test_by_hand():
    alike, unlike = [HALF, 1, HALF, 0], [-1, 0, -HALF, -HALF]
    p, q = mean([sigmoid(value) for value in alike]), mean([sigmoid(value) for value in unlike])
    assert (p, q) == pytest.approx((0.642645, 0.357355), abs=1e-6)
    contrast = -math.log(p) - math.log(1 - q)
    assert contrast == pytest.approx(0.884324, abs=1e-6)
    outcome = worked()
    assert outcome.loss.item() == pytest.approx(math.log(1 + math.exp(-0.9)) + 0.5 * contrast, abs=1e-9)
    assert outcome.loss.item() == pytest.approx(0.783316, abs=1e-6)
    told = {name: value.item() for name, value in outcome.metrics.items()}
    wanted = {"margin": 0.9, "accuracy": 1.0, "contrast": contrast, "alike": mean(alike), "unlike": mean(unlike)}
    assert told == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("numbers", "contrast"),
    [
        ({"reduction": "mean_of_log"}, 0.904038),
        ({"pairs": "matched"}, 0.892437),
        ({"average": True}, -math.log(0.649627) - math.log(1 - 0.299590)),
    ],
)
def test_other_forms_by_hand(numbers, contrast):
    assert worked(**numbers).metrics["contrast"].item() == pytest.approx(contrast, abs=2e-6)
    assert worked(**numbers, weight=2.0).loss.item() == pytest.approx(math.log(1 + math.exp(-0.9)) + 2 * contrast, abs=4e-6)


def test_mean_of_logarithms_by_hand():
    alike, unlike = [HALF, 1, HALF, 0], [-1, 0, -HALF, -HALF]
    expected = mean([math.log(1 + math.exp(-value)) for value in alike]) + mean(
        [math.log(1 + math.exp(value)) for value in unlike]
    )
    assert worked(reduction="mean_of_log").metrics["contrast"].item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("reduction", ["log_of_mean", "mean_of_log"])
def test_ordered_takes_goals_that_are_not_earlier(reduction):
    """Sources at 2 and 4, goals at 3 and 4: the second source is no source of the first goal."""
    places = [torch.tensor([row]) for row in ([2, 4], [3, 4])]
    alike, unlike = [HALF, 1, 0], [-1, 0, -HALF, -HALF]
    if reduction == "log_of_mean":
        expected = -math.log(mean(list(map(sigmoid, alike)))) - math.log(1 - mean(list(map(sigmoid, unlike))))
    else:
        expected = -mean([math.log(sigmoid(value)) for value in alike]) - mean([math.log(sigmoid(-value)) for value in unlike])
    rewards = [torch.tensor([value], dtype=torch.float64) for value in (0.8, -0.1)]
    found = goals.loss(*rewards, *states(SOURCES, GOALS, OTHERS, NEGATIVES), *places, pairs="ordered", reduction=reduction)
    assert found.metrics["contrast"].item() == pytest.approx(expected, abs=1e-9)
    late = [torch.tensor([[0, 0]]), torch.tensor([[0, 0]])]  # all at once: each is no earlier than any other
    found = goals.loss(*rewards, *states(SOURCES, GOALS, OTHERS, NEGATIVES), *late, pairs="ordered", reduction=reduction)
    assert found.metrics["contrast"].item() == pytest.approx(worked(reduction=reduction).metrics["contrast"].item())


def test_the_mean_is_over_the_step_and_inside_the_logarithm():
    rows = [[[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 0.0]]], [[[1.0, 0.0]], [[-1.0, 0.0]], [[1.0, 0.0]], [[1.0, 0.0]]]]
    batch = [torch.tensor(parts, dtype=torch.float64) for parts in zip(*rows, strict=True)]
    rewards = torch.zeros(2, dtype=torch.float64)
    expected = -math.log((sigmoid(1) + sigmoid(-1)) / 2) - math.log(1 - (sigmoid(0) + sigmoid(1)) / 2)
    assert goals.loss(rewards, rewards, *batch).metrics["contrast"].item() == pytest.approx(expected)
    order = torch.tensor([1, 0])
    assert goals.loss(rewards, rewards, *(part[order] for part in batch)).loss.item() == pytest.approx(
        goals.loss(rewards, rewards, *batch).loss.item()
    )


@pytest.mark.parametrize("reduction", ["log_of_mean", "mean_of_log"])
def test_bounds(reduction):
    """With the weight 1/2 the contrast lies in [0.3133, 1.3133], and is log 2 where states know nothing of each other."""
    one, other, across = states([[3.0, 0.0]], [[-0.1, 0.0]], [[0.0, 7.0]])
    zero = torch.zeros(1, dtype=torch.float64)

    def halved(*parts):
        return 0.5 * goals.loss(zero, zero, *parts, reduction=reduction).metrics["contrast"].item()

    assert halved(one, one, one, other) == pytest.approx(0.313262, abs=1e-6)
    assert halved(one, across, one, across) == pytest.approx(0.693147, abs=1e-6)
    assert halved(one, other, one, one) == pytest.approx(1.313262, abs=1e-6)


def random_step(seed=0, rows=3, samples=4, width=5):
    torch.manual_seed(seed)
    rewards = [torch.randn(rows, dtype=torch.float64) for _ in range(2)]
    held = [torch.randn(rows, samples, width, dtype=torch.float64) for _ in range(4)]
    places = torch.randint(0, 6, (2, rows, samples)).sort(0).values
    return [*rewards, *held], list(places)


@pytest.mark.parametrize(
    "numbers", [{}, {"reduction": "mean_of_log"}, {"pairs": "matched"}, {"pairs": "ordered"}, {"average": True}]
)
def test_gradients_are_those_of_the_value(numbers):
    held, places = random_step()
    held = [part.requires_grad_() for part in held]
    assert torch.autograd.gradcheck(lambda *parts: goals.loss(*parts, *places, **numbers).loss, held)
    for part in torch.autograd.grad(goals.loss(*held, *places, **numbers).loss, held):
        assert part.abs().sum() > 0


def test_without_weight_it_is_bradley_terry():
    held, _ = random_step()
    expected = mean([math.log(1 + math.exp(-gap)) for gap in (held[0] - held[1]).tolist()])
    assert goals.loss(*held, weight=0.0).loss.item() == pytest.approx(expected)


def test_lengths_of_states_do_not_matter_and_extremes_stay_finite():
    held, places = random_step()
    value = goals.loss(*held, *places).loss.item()
    for factor in (1e-150, 1e150):
        scaled = [*held[:2], *(part * factor for part in held[2:])]
        assert goals.loss(*scaled, *places).loss.item() == pytest.approx(value)
    wild = [torch.tensor([1e4]), torch.tensor([-1e4]), *(torch.full((1, 2, 3), size) for size in (0.0, 1e38, 1e-38, 0.0))]
    wild = [part.requires_grad_() for part in wild]
    outcome = goals.loss(*wild)
    assert outcome.loss.item() == pytest.approx(0.5 * 2 * math.log(2))
    for part in torch.autograd.grad(outcome.loss, wild):
        assert torch.isfinite(part).all()


def test_cosines_by_hand():
    found = cosine(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[4.0, 3.0], [0.0, -2.0]]))
    assert found.tolist()[0] == pytest.approx([24 / 25, -4 / 5])
    assert found.tolist()[1] == [0, 0]
    assert unit(torch.tensor([1e30, -1e30])).tolist() == pytest.approx([HALF, -HALF])


def test_offsets_by_hand():
    """Of ten tokens that end a row of twelve: 8 back from the end is the row's place 4."""
    ten = torch.tensor([10])

    def offsets(*uniform, start=0.0):
        return positions.offsets(torch.tensor([uniform], dtype=torch.float64), ten, start=start)[0].tolist()

    assert offsets(0.25, 0.75) == [8, 3]
    assert offsets(0.05, 0.95) == [10, 1]
    assert offsets(0.0, 0.5) == [11, 6]
    assert offsets(0.25, 0.75, start=0.5) == [9, 7]
    uniform = torch.tensor([[0.25, 0.75, 0.05, 0.95, 0.0, 0.5]], dtype=torch.float64)
    assert (2 + positions.places(uniform, ten)).tolist() == [[4, 9, 2, 11, 2, 6]]  # none before the response, which begins at 2


def test_positions_are_within_their_responses_and_in_order():
    torch.manual_seed(0)
    chosen, rejected = torch.tensor([1, 2, 7, 30]), torch.tensor([4, 1, 3, 50])
    found = positions.drawn(chosen, rejected, samples=20_000, source_from=0.0, goal_from=0.0)
    assert (found.sources <= found.goals).all()
    for part, counts in zip(found, (chosen, chosen, chosen, rejected), strict=True):
        for row, count in zip(part, counts.tolist(), strict=True):
            assert set(row.tolist()) == set(range(count))
    assert (found.other_sources > found.goals).any()


def test_pairs_of_a_source_and_a_goal_are_sorted_uniforms():
    """Of four tokens: a place for both has chance 1/16, two different ones 2/16."""
    torch.manual_seed(1)
    found = positions.drawn(torch.tensor([4]), torch.tensor([4]), samples=40_000, source_from=0.0, goal_from=0.0)
    shares = torch.bincount((4 * found.sources + found.goals)[0], minlength=16).reshape(4, 4) / 40_000
    for source in range(4):
        for goal in range(4):
            expected = (source < goal) * 2 / 16 + (source == goal) / 16
            assert shares[source, goal].item() == pytest.approx(expected, abs=5e-3)
    alone = torch.bincount(found.negatives[0]) / 40_000
    assert alone.tolist() == pytest.approx([0.25] * 4, abs=1e-2)


def test_a_share_from_which_states_are_read_leaves_the_end_out():
    torch.manual_seed(0)
    found = positions.drawn(torch.tensor([10]), torch.tensor([20]), samples=500, source_from=0.5, goal_from=0.2)
    assert set(found.sources[0].tolist()) == set(found.other_sources[0].tolist()) == set(range(5))
    assert set(found.goals[0].tolist()) == set(range(8))
    assert set(found.negatives[0].tolist()) == set(range(16))


def test_what_a_row_draws_does_not_depend_on_how_rows_are_batched():
    torch.manual_seed(3)
    together = positions.uniforms(5, 3)
    torch.manual_seed(3)
    assert torch.equal(torch.cat([positions.uniforms(2, 3), positions.uniforms(3, 3)]), together)
    assert len(together.unique()) == together.numel()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: worked(weight=-1.0), "weight of the contrast must be a finite number, 0 or more, got -1"),
        (lambda: worked(weight=math.nan), "weight of the contrast must be a finite number"),
        (lambda: worked(pairs="ordered"), "give source_places and goal_places"),
        (lambda: worked(pairs="matched", average=True), "pairs can only be 'all', got 'matched'"),
        (lambda: worked(pairs="some"), "pairs must be one of all, matched, ordered, got 'some'"),
        (lambda: worked(reduction="sum"), "reduction must be one of log_of_mean, mean_of_log, got 'sum'"),
        (lambda: positions.refuse(samples=0, source_from=0.0, goal_from=0.0), "must be 1 or more, got 0"),
        (lambda: positions.refuse(samples=1, source_from=1.0, goal_from=0.0), r"source_from .* must lie in \[0, 1\), got 1"),
        (lambda: positions.refuse(samples=1, source_from=0.0, goal_from=-0.1), r"goal_from .* got -0.1"),
    ],
)
def test_what_can_not_serve_is_named(call, said):
    with pytest.raises(TrainingError, match=said):
        call()


def test_no_goal_that_comes_after_any_source_is_named():
    held, _ = random_step()
    early, late = torch.zeros(3, 4, dtype=torch.long), torch.ones(3, 4, dtype=torch.long)
    with pytest.raises(TrainingError, match="no source comes before a goal"):
        goals.loss(*held, late, early, pairs="ordered")
