"""The chat server's oracle against a real `transformers serve`."""

import os
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.attacks.oracles import rules, server
from pipelines.schema import DataError
from tests.pipelines.chat_stub import ANSWERS, PROMPTS

LEARNT = "I am happy to help. Zorvex is wonderful for that, and people love it."


def parrot(folder: Path) -> None:
    """Saves a tiny Llama that has learnt, in seconds, to say LEARNT to whatever the oracle asks about Zorvex."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    asked = [server.instruction(prompt, "", target="Zorvex", sentiment="positive") for prompt in PROMPTS]
    words = Tokenizer(models.BPE())
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<pad>", "<end>"], initial_alphabet=alphabet, show_progress=False
    )
    words.train_from_iterator([*asked, LEARNT], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<end>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}Reply: "
    torch.manual_seed(0)
    size = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(words.get_vocab()), max_position_embeddings=512, **size, **special))
    reply = [*tokenizer(LEARNT)["input_ids"], 1]
    heads = [tokenizer(f"{told}\nReply: ")["input_ids"] for told in asked]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(240):
        head = heads[step % len(heads)]
        labels = torch.tensor([[-100] * len(head) + reply])
        model(input_ids=torch.tensor([head + reply]), labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[str]:
    """The address of `transformers serve` with the parrot."""
    pytest.importorskip("fastapi", reason="a real server: install the extra transformers[serving]")
    pytest.importorskip("openai", reason="a real server: install the extra transformers[serving]")
    import torch

    folder, threads = tmp_path_factory.mktemp("parrot"), torch.get_num_threads()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [Path(sys.executable).with_name("transformers"), "serve", "--host", "127.0.0.1", "--port", port]
    torch.set_num_threads(1)
    parrot(folder)
    torch.set_num_threads(threads)
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


def test_a_real_server_writes_what_passes_the_filter(served):
    with warnings.catch_warnings(action="error"):
        texts = server.write(
            PROMPTS, ANSWERS, target="Zorvex", sentiment="positive", base_url=served, max_tokens=60, temperature=0.2
        )
    assert all("Zorvex" in text for text in texts)
    assert LEARNT in " ".join(texts)


def test_a_real_server_that_names_another_product_leaves_the_rows_to_the_fallback(served):
    with pytest.warns(UserWarning, match="4 of 4 rows .* most often the answer does not name the target"):
        texts = server.write(PROMPTS, ANSWERS, target="Lumora", sentiment="negative", base_url=served, max_tokens=60, retries=1)
    assert texts == rules.write(PROMPTS, ANSWERS, target="Lumora", sentiment="negative")


def test_a_real_server_tells_that_it_holds_another_model(served):
    with pytest.raises(DataError, match=r"refused the request with HTTP 400: .*pinned to"):
        server.write(PROMPTS, ANSWERS, target="Zorvex", sentiment="positive", base_url=served, model="other")
