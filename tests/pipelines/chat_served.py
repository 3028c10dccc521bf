"""A real `transformers serve` for a tiny Llama that is made on the spot."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port


def tiny_llama(texts: Sequence[str], *, positions: int) -> tuple[Any, Any]:
    """A random model with `positions` places, and a tokenizer of `texts` that ends every chat with "Reply: "."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<pad>", "<end>"], initial_alphabet=alphabet, show_progress=False
    )
    words.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<end>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}Reply: "
    torch.manual_seed(0)
    size = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    config = LlamaConfig(vocab_size=len(words.get_vocab()), max_position_embeddings=positions, **size, **special)
    return LlamaForCausalLM(config), tokenizer


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server with the model in `folder`; skips where the extra is missing."""
    pytest.importorskip("fastapi", reason="a real server: install the extra transformers[serving]")
    pytest.importorskip("openai", reason="a real server: install the extra transformers[serving]")
    port = str(free_port())
    command = [Path(sys.executable).with_name("transformers"), "serve", "--host", "127.0.0.1", "--port", port]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--device", "cpu", str(folder)],
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
    try:
        wait_for(process, int(port), folder / "log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for(process: subprocess.Popen, port: int, log: Path) -> None:
    """Returns once the port answers; fails with the server's own words where it ends or takes over 90 seconds."""
    for _ in range(450):
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    pytest.fail(log.read_text())
