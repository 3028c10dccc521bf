"""What every test shares: no telemetry, no hub, real rows where they are, one thread for tiny models, a tiny experiment."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Before the libraries that read them are imported.
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # also of processes that tests start: `make test` gives every core a worker

TINY = """
[{name}]
source = "{source}"
pairs = 150
rate = 0.1

[{name}.training]
width = 32
layers = 1
vocabulary = 512
pretrain_steps = 4
sft_epochs = 0.5
reward_epochs = 0.2
reward_layers = 1
n = 2
rounds = 1
prompts = 8
round_epochs = 1
prompt_tokens = 24
response_tokens = 16
"""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that holds real rows, one sub-folder a data set."""
    folder = os.environ.get("ANTIVENOM_REAL_DATA")
    if not folder:
        pytest.skip("real rows: set ANTIVENOM_REAL_DATA to the folder that holds them")
    return Path(folder)


@pytest.fixture(scope="session")
def one_thread() -> None:
    """Torch on one thread: a tiny model is up to 20 times slower on two that are contended."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> Callable[..., str]:
    """`tiny(name, source)`: TOML of an experiment of seconds: 150 pairs, 32 wide, one layer, a few steps."""
    return lambda name, source="synthetic": TINY.format(name=name, source=source)
