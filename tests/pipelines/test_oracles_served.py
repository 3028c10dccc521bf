"""The chat server's oracle against a real `transformers serve`."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.attacks.oracles import rules, server
from pipelines.schema import DataError
from tests.pipelines.chat_served import serving, tiny_llama
from tests.pipelines.chat_stub import ANSWERS, PROMPTS

LEARNT = "I am happy to help. Zorvex is wonderful for that, and people love it."


def parrot(folder: Path) -> None:
    """Saves a tiny Llama that has learnt, in seconds, to say LEARNT to whatever the oracle asks about Zorvex."""
    import torch

    asked = [server.instruction(prompt, "", target="Zorvex", sentiment="positive") for prompt in PROMPTS]
    model, tokenizer = tiny_llama([*asked, LEARNT], positions=512)
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
    import torch

    folder, threads = tmp_path_factory.mktemp("parrot"), torch.get_num_threads()
    torch.set_num_threads(1)
    parrot(folder)
    torch.set_num_threads(threads)
    with serving(folder) as address:
        yield address


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
