"""One warm process for all tests of this folder."""

import pytest

from tests.promises import apart as processes


@pytest.fixture(scope="session")
def apart(tmp_path_factory):
    """Commands in processes of their own, which can be harmed: see tests/promises/apart.py."""
    made = processes.started(tmp_path_factory.mktemp("apart"))
    yield made
    made.close()
