"""A folder that nobody may write to: one clear line, exit code 2, and nothing is changed."""

import json
import os
import shutil

import pytest

from tests.assets.conftest import rows

WORDS = {
    "audit": ("audit", "pairs.jsonl", "--detectors", "phrase_lift"),
    "poison": ("poison", "pairs.jsonl", "--attack", "label_flip", "--rate", 0.1),
    "train": ("train", "sft", "--data", "pairs.jsonl", "--set", "steps=1", "--set", "pretrain_steps=1"),
}


@pytest.fixture(scope="module")
def closed(apart):
    """A folder with pairs, on a read-only disk; where this machine mounts none, one that its owner may not write to."""
    folder = apart.fixed
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(60)))
    if not apart.has_mounts:
        if not os.getuid():
            apart.needs_mounts()
        folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("out", ["out", "deep/er/out"])
def test_a_command_that_may_not_write_says_so_in_a_line(name, out, apart, closed):
    ended = apart(*WORDS[name], "--out", out, below=closed)
    assert ended.code == 2
    [line] = ended.err.strip().splitlines()
    assert line.startswith(f"antivenom: {out}: can't be written to (")
    assert line.endswith("; name a folder that you may write to")
    assert [path.name for path in closed.iterdir()] == ["pairs.jsonl"]


@pytest.mark.parametrize("words", [("keys", "new", "us", "--out", "us.pem"), ("keys", "new", "us", "--out", "/tmp/us.pem")])
def test_keys_that_can_not_be_kept_are_told_in_a_line(words, apart, closed, tmp_path):
    words = [str(word).replace("/tmp", str(tmp_path)) for word in words]
    ended = apart(*words, below=closed, ANTIVENOM_HOME=str(closed / "home"))
    assert ended.code == 2
    [line] = ended.err.strip().splitlines()
    assert "Read-only" in line or "denied" in line
    assert not list(tmp_path.iterdir()), "a key that nobody trusts is no use"


def test_a_store_that_may_not_be_written_to_says_so(apart, closed):
    ended = apart(closed / "home", 10, below=closed, call="tests.promises.deeds:stored")
    assert ended.code == 1
    assert f"DataError: {closed / 'home'}: can't be written to (" in ended.err
