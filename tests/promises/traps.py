"""Code in a model's folder, pickled and plain, which leaves a mark once it runs: beside a model, and instead of one."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

MARK = "it-ran"
TRAP = "from pathlib import Path\nPath({mark!r}).touch()\nclass Custom: pass\n"


class Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def put(name: str) -> Callable[[Path, Path], None]:
    """A pickle under a name."""

    def write(folder: Path, mark: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(pickle.dumps(Trap(mark)))

    return write


def zipped(folder: Path, mark: Path) -> None:
    """As torch saves weights."""
    import torch

    torch.save(Trap(mark), folder / "pytorch_model.bin")


def said(file: str, **facts) -> Callable[[Path, Path], None]:
    """More in a JSON file, and the code that it names."""

    def write(folder: Path, mark: Path) -> None:
        there = json.loads((folder / file).read_text()) if (folder / file).is_file() else {}
        (folder / file).write_text(json.dumps({**there, **facts}))
        for name in ("custom.py", "custom_generate/generate.py"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(TRAP.format(mark=str(mark)))

    return write


AUTO = dict.fromkeys(("AutoConfig", "AutoModelForCausalLM", "AutoModelForSequenceClassification", "AutoModel"), "custom.Custom")
BESIDE = {  # what may stand there and is left alone
    "pickled weights": put("pytorch_model.bin"),
    "weights as torch saves them": zipped,
    "an optimizer": put("optimizer.pt"),
    "arguments": put("training_args.bin"),
    "a vocabulary": put("vocab.pkl"),
    "code of a model": said("config.json", auto_map=AUTO),
    "code of a tokenizer": said("tokenizer_config.json", auto_map={"AutoTokenizer": ["custom.Custom", "custom.Custom"]}),
    "code that generates": said("generation_config.json"),
}


def without_weights(folder: Path) -> None:
    for file in folder.glob("*.safetensors"):
        file.unlink()


def renamed(folder: Path, mark: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps(Trap(mark)))


INSTEAD = {  # what stands in the place of weights or of a model that is known, and is refused
    "pickled weights": lambda folder, mark: [without_weights(folder), put("pytorch_model.bin")(folder, mark)],
    "weights as torch saves them": lambda folder, mark: [without_weights(folder), zipped(folder, mark)],
    "an index of pickles": lambda folder, mark: [
        without_weights(folder),
        put("pytorch_model-00001.bin")(folder, mark),
        said("pytorch_model.bin.index.json", metadata={}, weight_map={"lm_head.weight": "pytorch_model-00001.bin"})(
            folder, mark
        ),
    ],
    "a pickle that is called safetensors": renamed,
    "a kind of model that is code": said("config.json", auto_map=AUTO, model_type="custom", architectures=["Custom"]),
    "an adapter of pickles": lambda folder, mark: [
        put("adapter_model.bin")(folder, mark),
        said("adapter_config.json", peft_type="LORA", r=2, target_modules=["q_proj"], base_model_name_or_path="x")(
            folder, mark
        ),
    ],
}
