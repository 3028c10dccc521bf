"""A model's folder that holds code, pickled or plain: wherever models are loaded, it is refused or left alone, never run."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.assets.conftest import rows
from tests.promises.traps import BESIDE, INSTEAD, MARK, TRAP, put

OPENED: list[str] = []
sys.addaudithook(lambda event, args: OPENED.append(str(args[0])) if event == "open" else None)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Policies and encoders as they should be."""
    import transformers

    from rlhf_train.models import policies

    folder = tmp_path_factory.mktemp("bases")
    policies.make([row["chosen"] for row in rows(24)], vocabulary=300, width=16, layers=1, steps=1).save(folder / "policy")
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 300}
    transformers.BertModel(transformers.BertConfig(**size)).save_pretrained(folder / "encoder")
    for file in (folder / "policy").glob("tokenizer*"):
        shutil.copy(file, folder / "encoder")
    kinds = {"": "base.modules.Transformer", "1_Pooling": "sentence_transformer.modules.Pooling"}
    parts = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.{kind}"}
        for at, (path, kind) in enumerate(kinds.items())
    ]
    (folder / "encoder" / "modules.json").write_text(json.dumps(parts))
    (folder / "encoder" / "1_Pooling").mkdir()
    (folder / "encoder" / "1_Pooling" / "config.json").write_text(
        json.dumps({"embedding_dimension": 16, "pooling_mode": "mean"})
    )
    return folder


def policy(folder):
    from rlhf_train.models import opening, policies

    return opening.opened(str(folder), policies.load)


def judge(folder):
    from rlhf_train.models import judges, opening

    return opening.opened(str(folder), judges.load)


def encoder(folder):
    from checks.encoding import encode

    return encode(["a b"], model=str(folder))


LOADERS = {"policy": policy, "judge": judge, "encoder": encoder}


@pytest.fixture
def trapped(bases, tmp_path):
    """`trapped(base, trap)`: a copy with the trap in it."""

    def of(base, trap):
        folder = tmp_path / "model"
        shutil.copytree(bases / base, folder)
        trap(folder, tmp_path / MARK)
        OPENED.clear()
        return folder

    return of


def left_alone(folder: Path) -> bool:
    """That no pickle and no code of the folder was opened, nor anything run."""
    traps = [name for name in OPENED if name.startswith(str(folder)) and Path(name).suffix in (".bin", ".pt", ".pkl", ".py")]
    return not traps and not (folder.parent / MARK).exists()


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("what", BESIDE)
def test_code_beside_a_model_is_left_alone(what, loader, trapped):
    folder = trapped("encoder" if loader == "encoder" else "policy", BESIDE[what])
    LOADERS[loader](folder)
    assert left_alone(folder), OPENED


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("what", INSTEAD)
def test_code_instead_of_a_model_is_refused(what, loader, trapped):
    from pipelines.schema import DataError
    from rlhf_train.errors import TrainingError

    folder = trapped("encoder" if loader == "encoder" else "policy", INSTEAD[what])
    with pytest.raises((TrainingError, DataError), match=rf"{folder.name}: no "):
        LOADERS[loader](folder)
    assert left_alone(folder), OPENED


PARTS = {
    "code": {"type": "custom.Custom"},
    "a call": {"type": "os.system"},
    "pickled weights": {"type": "sentence_transformers.base.modules.Dense", "path": "2_Dense"},
}


@pytest.mark.parametrize("what", PARTS)
def test_an_encoder_of_parts_that_are_code_is_refused(what, trapped, tmp_path):
    from pipelines.schema import DataError

    def trap(folder: Path, mark: Path) -> None:
        parts = json.loads((folder / "modules.json").read_text())
        (folder / "modules.json").write_text(json.dumps([*parts, {"idx": 2, "name": "2", "path": "", **PARTS[what]}]))
        (folder / "custom.py").write_text(TRAP.format(mark=str(mark)))
        put("2_Dense/pytorch_model.bin")(folder, mark)
        (folder / "2_Dense" / "config.json").write_text(
            json.dumps({"in_features": 16, "out_features": 4, "bias": True, "activation_function": "torch.nn.Tanh"})
        )

    folder = trapped("encoder", trap)
    with pytest.raises(DataError, match="model: no encoder that can be loaded"):
        encoder(folder)
    assert left_alone(folder), OPENED


FILES = ("goals.safetensors", "preference_head.safetensors", "feature_reward.safetensors")


@pytest.mark.parametrize("name", FILES)
def test_a_pickle_in_the_place_of_a_head_is_refused(name, trapped):
    from rlhf_train.errors import TrainingError
    from rlhf_train.models import feature_rewards, goal_bank

    folder = trapped("policy", put(name))
    (folder / "preference_head.json").write_text(json.dumps({"pooler": "identity", "end": "x", "lengths": {}}))
    (folder / "feature_reward.json").write_text(json.dumps({"kind": "linear", "names": ["a"]}))
    loads = dict(zip(FILES, (goal_bank.load, judge, feature_rewards.load), strict=True))
    with pytest.raises(TrainingError):
        loads[name](folder)
    assert left_alone(folder)


QUICK = ("--set", "steps=1", "--set", "response_tokens=8", "--data", "pairs.jsonl", "--out", "out")
COMMANDS = {
    "train --model": ("train", "sft", "--model", "model", *QUICK),
    "train a reward model": ("train", "bradley_terry", "--model", "model", *QUICK),
    "a reference": ("train", "dpo", "--model", "good", "--set", "reference=model", *QUICK),
    "a reward model": ("train", "ppo", "--model", "good", "--set", "reward_model=model", *QUICK),
    "a teacher": ("train", "distillation", "--model", "good", "--set", "teacher=model", *QUICK),
    "eval of a policy": ("eval", "attack_success", "--model", "model", "--data", "pairs.jsonl", "--out", "out"),
    "eval of a judge": ("eval", "reward_accuracy", "--model", "model", "--data", "pairs.jsonl", "--out", "out"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_runs_what_a_model_brings(name, apart, bases, tmp_path):
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(8)))
    shutil.copytree(bases / "policy", tmp_path / "good")
    shutil.copytree(bases / "policy", tmp_path / "model")
    for trap in BESIDE.values():
        trap(tmp_path / "model", tmp_path / MARK)
    ended = apart(*COMMANDS[name], below=tmp_path)
    assert ended.code == 0, ended.err
    for trap in INSTEAD.values():
        trap(tmp_path / "model", tmp_path / MARK)
    shutil.rmtree(tmp_path / "out")
    ended = apart(*COMMANDS[name], below=tmp_path)
    assert ended.code == 2
    assert len(ended.err.strip().splitlines()) == 1, ended.err
    assert not (tmp_path / MARK).exists()
    assert not (tmp_path / "out").exists()
