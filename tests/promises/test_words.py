"""Words of others in our messages, and folders that are something else: code 2 and one line, which no terminal obeys."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from pipelines.schema import DataError
from pipelines.snapshots import recalled, staged, verify
from tests.assets.conftest import rows


def test_words_that_are_no_text_are_told_in_a_line_and_do_no_harm(apart, tmp_path):
    """An undecodable file name, and settings that would speak to a terminal."""
    name = os.fsdecode(b"\xff\x07\x1b[31m.jsonl")
    (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows(40)))
    for words in (("--json",), ()):
        ended = apart("audit", name, "--out", "audit", "--detectors", "phrase_lift", "--again", *words, below=tmp_path)
        assert ended.code == 0, ended.err
    verify(tmp_path / "audit")
    for words in ((f"{name}x",), (name, "--format", "\x1b[31mred\nline"), (name, "--map", "\udcff=\x1b]0;x\x07")):
        ended = apart("audit", *words, "--out", "again", below=tmp_path)
        assert ended.code == 2
        [line] = ended.err.removesuffix("\n").split("\n")
        assert line.isprintable()


def test_lists_that_are_none_are_refused_whatever_they_hold(tmp_path):
    for text in ("[" * 5000, '{"pairs": []}x', '{"pairs": 3}', '{"pairs": {"x": ' + "[" * 1000 + "]" * 1000 + "}}"):
        (tmp_path / "recalled.json").write_text(text)
        with pytest.raises(DataError, match=r"recalled\.json: no list of recalled pairs"):
            recalled.read(tmp_path)


@pytest.mark.parametrize(
    "words", [("filter", "pairs.jsonl", "--scores", "other", "--out", "out"), ("trace", "--audit", "other")]
)
def test_a_folder_of_another_kind_is_no_audit(words, apart, tmp_path):
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(40)))
    for make in (lambda folder: None, lambda folder: pl.DataFrame({"x": [1]}).write_parquet(folder / "scores.parquet")):
        with staged(tmp_path / "other", "audit") as aside:
            make(aside)
        ended = apart(*words, below=tmp_path)
        assert ended.code == 2
        assert len(ended.err.strip().splitlines()) == 1, ended.err


def test_the_command_itself_ends_with_2_and_one_line(tmp_path):
    """Not in the warm process but as people start it."""
    command = [sys.executable, "-c", "from assets.cli import main; main()", "audit", "nowhere.jsonl", "--out", "x" * 300]
    surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=surroundings)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
