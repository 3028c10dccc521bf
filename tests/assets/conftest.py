"""The code location as it is with a user's own experiments file."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def location() -> Callable[[str, Path], AbstractContextManager[ModuleType]]:
    """`location(toml, home)`: assets.definitions with these experiments too, and its tables under `home`."""
    return _location


@contextmanager
def _location(toml: str, home: Path) -> Iterator[ModuleType]:
    """Imports the package afresh, for experiments are read when it is imported, and puts the old one back."""
    kept = {name: sys.modules.pop(name) for name in _ours()}
    home.mkdir(exist_ok=True)
    (home / "experiments.toml").write_text(toml)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTIVENOM_HOME", str(home / "tables"))
        patch.setenv("ANTIVENOM_EXPERIMENTS", str(home / "experiments.toml"))
        try:
            yield importlib.import_module("assets.definitions")
        finally:
            for name in _ours():
                del sys.modules[name]
            sys.modules.update(kept)


def _ours() -> list[str]:
    return [name for name in sys.modules if name.split(".")[0] == "assets"]
