"""What every test shares: no telemetry and no hub, real rows where they are, one thread for tiny models."""

import os
from pathlib import Path

import pytest

# Before the libraries that read them are imported.
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


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
