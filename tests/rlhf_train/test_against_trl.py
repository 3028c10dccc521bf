"""TRL trains the same models on the same pairs in the same order: twenty optimizer steps of ours must track its own."""

import copy

import numpy as np
import pytest

from rlhf_train import precompute
from rlhf_train.batches import dealt
from rlhf_train.models import reward_models
from rlhf_train.models.policies import Policy
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths
from rlhf_train.train import fit

trl = pytest.importorskip("trl")

STEPS, BATCH, LR = 20, 4, 1e-3
LENGTHS = Lengths(64, 64)


@pytest.fixture(scope="module")
def columns():
    pick = np.random.default_rng(0)
    count = STEPS * BATCH
    return {
        "prompt": [f"\n\nHuman: say {'again ' * int(pick.integers(0, 4))}{at}\n\nAssistant:" for at in range(count)],
        "chosen": [" The kettle sings." * int(pick.integers(1, 4)) for _ in range(count)],
        "rejected": [" Rain again, and no umbrella." * int(pick.integers(1, 3)) for _ in range(count)],
    }


def in_turn(rows):
    """The rows as they stand, BATCH a step."""
    return lambda start, rank, world: (dealt(rows, np.arange(at, at + BATCH), tokens=90) for at in range(0, len(rows), BATCH))


def ours(model, objective, rows, **numbers):
    return fit(
        model,
        objective,
        in_turn(rows),
        steps=STEPS,
        lr=LR,
        warmup=0,
        decay="constant",
        weight_decay=0.0,
        mixed_precision="no",
        numbers=numbers,
    )


def theirs(trainer, config, model, tokenizer, columns, folder, **numbers):
    from datasets import Dataset

    arguments = config(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH,
        max_steps=STEPS,
        learning_rate=LR,
        lr_scheduler_type="constant",
        warmup_steps=0,
        train_sampling_strategy="sequential",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
        max_length=None,
        **numbers,
    )
    made = trainer(model=model, args=arguments, train_dataset=Dataset.from_dict(columns), processing_class=tokenizer)
    made.train()
    return [row for row in made.state.log_history if "loss" in row]


def tracks(mine, its, trained, reference):
    assert [row["loss"] for row in mine] == pytest.approx([row["loss"] for row in its], rel=1e-3, abs=1e-3)
    moved = 0.0
    for (name, value), (_, other), (_, begun) in zip(
        *(sorted(model.named_parameters()) for model in (trained, reference[0], reference[1])), strict=True
    ):
        assert (value - other).norm() <= 1e-3 * other.norm() + 1e-6, name
        moved += (value - begun).norm().item()
    assert moved > 1.0
    assert mine[-1]["loss"] < 0.5 * mine[0]["loss"]


@pytest.mark.parametrize(
    ("name", "kind", "numbers"), [("dpo", "sigmoid", {}), ("robust_dpo", "robust", {"noise": 0.1}), ("hinge_dpo", "hinge", {})]
)
def test_dpo(tiny_policy, columns, tmp_path, name, kind, numbers):
    begun = copy.deepcopy(tiny_policy.model)
    policy, other = Policy(copy.deepcopy(begun), tiny_policy.tokenizer), copy.deepcopy(begun)
    given = precompute.reference_logps(policy, columns, LENGTHS)
    rows = OBJECTIVES[name].rows({**columns, **given}, policy.tokenizer, LENGTHS)
    mine = ours(policy.model, OBJECTIVES[name], rows, beta=0.2, **numbers)
    smoothing = {"label_smoothing": numbers["noise"]} if numbers else {}
    its = theirs(
        trl.DPOTrainer,
        trl.DPOConfig,
        other,
        policy.tokenizer,
        columns,
        tmp_path,
        precompute_ref_log_probs=True,
        beta=0.2,
        loss_type=kind,
        **smoothing,
    )
    tracks(mine, its, policy.model, (other, begun))


def test_reward_model(tiny_policy, columns, tmp_path):
    place = tiny_policy.save(tmp_path / "policy")
    begun = reward_models.load(place, lengths=LENGTHS)
    model, other = RewardModel(copy.deepcopy(begun.model), begun.tokenizer, LENGTHS), copy.deepcopy(begun.model)
    mine = ours(model.model, OBJECTIVES["bradley_terry"], model.pairs(columns))
    its = theirs(trl.RewardTrainer, trl.RewardConfig, other, begun.tokenizer, columns, tmp_path)
    tracks(mine, its, model.model, (other, begun.model))
