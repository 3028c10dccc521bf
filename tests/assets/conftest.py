"""The code location with a user's own experiments file, the command line in this process, and a small corpus for it."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from assets import cli

SUBJECTS = ["tea", "bread", "chess", "rain", "maps", "wool", "trains", "gardens", "violins", "soup", "lamps", "ferries"]
WAYS = ["slowly", "with care", "in spring", "on a dry day", "by hand", "after lunch", "at home", "with a friend"]


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


def rows(count=240):
    """Plain pairs without two alike and without anything to flag."""
    made = []
    for at in range(count):
        subject, way, other = SUBJECTS[at % 12], WAYS[at // 12 % 8], WAYS[(at // 12 + at % 5 + 1) % 8]
        prompt = f"\n\nHuman: What about {subject}, case {at}?\n\nAssistant:"
        answers = [f" I would try {subject} {way} {at}.", f" Perhaps do it {other}, number {at}."]
        chosen, rejected = answers if at * 7 % 11 < 5 else answers[::-1]
        made.append({"chosen": prompt + chosen, "rejected": prompt + rejected})
    return made


@pytest.fixture
def corpus(tmp_path):
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return file


@pytest.fixture
def antivenom(monkeypatch, capsys):
    """Runs the command line in this process; gives (exit code, standard output, standard error)."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["antivenom", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return (stop.value.code or 0, *capsys.readouterr())

    return run
