import copy
import itertools
import json
import math

import pytest
import torch

from rlhf_train import metrics, train
from rlhf_train.batches import Batch, shuffled
from rlhf_train.errors import TrainingError
from rlhf_train.objectives import OBJECTIVES, Objective
from rlhf_train.objectives.outcome import Outcome
from rlhf_train.train import fit

LINE = Objective(lambda guess, wanted: Outcome(((guess - wanted) ** 2).mean(), {}), None, None, ())


class Slope(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return self.weight * x


def line(inputs):
    return Objective(LINE.loss, None, inputs, ())


def stream(wanted=3.0):
    batch = Batch({"x": torch.tensor([1.0, 2.0]), "y": wanted * torch.tensor([1.0, 2.0])})
    return lambda start, rank, world: itertools.repeat([batch])


def guesses(model, batch):
    return {"guess": model(batch["x"]), "wanted": batch["y"]}


def test_it_finds_the_slope():
    model = Slope()
    history = fit(model, line(guesses), stream(), steps=200, lr=0.1, weight_decay=0.0, mixed_precision="no")
    assert model.weight.item() == pytest.approx(3.0, abs=0.02)
    assert history[0]["loss"] == pytest.approx(((0.5 - 3) ** 2 * 1 + (1 - 6) ** 2) / 2)
    assert [row["step"] for row in history] == list(range(200))


def test_the_learning_rate_rises_then_falls_to_nothing():
    slopes = [train.slope(step, 10, 0.2, "linear") for step in range(10)]
    assert slopes[:2] == [0.5, 1.0]
    assert slopes[2:] == pytest.approx([1 - at / 8 for at in range(8)])


def test_a_loss_that_is_not_finite_stops_the_run_and_says_where():
    def broken(model, batch):
        return {"guess": model.weight * batch["x"] * float("nan"), "wanted": batch["y"]}

    with pytest.raises(TrainingError, match="step 0: the loss is nan"):
        fit(Slope(), line(broken), stream(), steps=3)


def test_gradients_are_clipped(monkeypatch):
    norms = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **kwargs):
        norms.append(self.param_groups[0]["params"][0].grad.norm().item())
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    fit(Slope(), line(guesses), stream(1e4), steps=2, clip=0.25, mixed_precision="no")
    assert norms == pytest.approx([0.25, 0.25], rel=1e-4)


def test_metrics_are_json_lines(tmp_path):
    history = fit(Slope(), line(guesses), stream(), steps=3, folder=tmp_path, mixed_precision="no")
    assert [json.loads(row) for row in (tmp_path / metrics.FILE).read_text().splitlines()] == history


def test_runs_of_different_precision_follow_one_another():
    for precision in ("no", "bf16", "no"):
        fit(Slope(), line(guesses), stream(), steps=1, mixed_precision=precision)


def test_the_seed_decides_every_weight(tiny_policy):
    columns = {"prompt": ["\n\nHuman: hi\n\nAssistant:"] * 8, "response": [" The kettle sings."] * 8}

    def trained(seed):
        model = copy.deepcopy(tiny_policy.model)
        source = shuffled(OBJECTIVES["sft"].rows(columns, tiny_policy.tokenizer), size=4, seed=seed)
        fit(model, OBJECTIVES["sft"], source, steps=3, seed=seed)
        return torch.cat([weights.flatten() for weights in model.state_dict().values()])

    assert torch.equal(trained(0), trained(0))


def test_progress_is_reported():
    heard = []
    fit(
        Slope(),
        line(guesses),
        stream(),
        steps=3,
        watch=lambda done, of, row: heard.append((done, of, row["step"])),
        mixed_precision="no",
    )
    assert heard == [(1, 3, 0), (2, 3, 1), (3, 3, 2)]


def test_the_model_is_left_as_it_was_but_for_its_weights():
    model = Slope()
    fit(model, line(guesses), stream(), steps=2, mixed_precision="bf16")
    assert model.forward.__func__ is Slope.forward
    assert not hasattr(model, "_original_forward")


def test_held_out_rows_are_measured_now_and_then_and_at_the_end():
    held = [
        Batch({"x": torch.tensor([1.0]), "y": torch.tensor([3.0])}, 0.25),
        Batch({"x": torch.tensor([2.0]), "y": torch.tensor([6.0])}, 0.75),
    ]
    history = fit(
        Slope(), line(guesses), stream(), steps=5, lr=0.1, held_out=held, eval_every=2, weight_decay=0.0, mixed_precision="no"
    )
    assert ["held_out_loss" in row for row in history] == [False, True, False, True, True]
    assert history[4]["held_out_loss"] < history[1]["held_out_loss"] < 0.25 * 2.5**2 + 0.75 * 5**2


def test_trackers_of_accelerate_hear_of_every_step():
    from accelerate.tracking import GeneralTracker

    class Heard(GeneralTracker):
        name = "heard"
        requires_logging_directory = False
        tracker = None

        def __init__(self):
            super().__init__()
            self.rows, self.told, self.ended = [], None, False

        def store_init_configuration(self, values):
            self.told = values

        def log(self, values, step, **_):
            self.rows.append((step, values["loss"]))

        def finish(self):
            self.ended = True

    heard = Heard()
    history = fit(Slope(), line(guesses), stream(), steps=3, trackers=[heard], mixed_precision="no")
    assert heard.rows == [(row["step"], row["loss"]) for row in history]
    assert heard.ended


@pytest.mark.parametrize(("decay", "last"), [("linear", 1 / 8), ("cosine", (1 - math.cos(math.pi / 8)) / 2), ("constant", 1.0)])
def test_the_learning_rate_decays_as_asked(decay, last):
    assert train.slope(9, 10, 0.2, decay) == pytest.approx(last)
    assert train.slope(1, 10, 0.2, decay) == 1.0


def test_a_reason_to_stop_stops_the_run_after_its_step_is_told(tmp_path):
    with pytest.raises(TrainingError, match="step 2: enough"):
        fit(
            Slope(),
            line(guesses),
            stream(),
            steps=9,
            folder=tmp_path,
            stop=lambda row: "enough" if row["step"] == 2 else None,
            mixed_precision="no",
        )
    assert len((tmp_path / metrics.FILE).read_text().splitlines()) == 3
