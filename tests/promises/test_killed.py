"""kill -9 at twenty moments of a filter and of a training run: what was published is whole, and the same command finishes."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.snapshots import digests_of, verify
from tests.assets.conftest import rows
from tests.promises.apart import TRIES, moments

MOMENTS, LAST = 20, 5  # of them in the end of a training run
PAIRS = 3000
FILTER = ("filter", "pairs.jsonl", "--scores", "audit", "--out", "out", "--budget")
TRAIN = ("train", "dpo", "--data", "pairs.jsonl", "--set", "batch=4", "--set", "pretrain_steps=2", "--json", "--out", "policy")
STEPS, SAVE_EVERY = 16, 4
SHORT = ("--set", f"steps={STEPS}", "--set", f"save_every={SAVE_EVERY}", "--set", "response_tokens=16")


@pytest.fixture
def place(tmp_path):
    """A folder with pairs."""

    def of(count: int) -> Path:
        (tmp_path / "here").mkdir()
        (tmp_path / "here" / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(count)))
        return tmp_path / "here"

    return of


@pytest.fixture
def audited(apart, place):
    """The same, with an audit of them and what was filtered before."""
    folder = place(PAIRS)
    assert apart("audit", "pairs.jsonl", "--out", "audit", "--detectors", "phrase_lift", below=folder).code in (0, 3)
    assert apart(*FILTER, 0.1, below=folder).code == 0
    return folder


def killed_while_filtering(apart, folder, count):
    """How often it was killed, at each of so many moments while it replaces what was published before."""
    before = verify(folder / "out")["snapshot"]
    shutil.copytree(folder / "out", folder.parent / "older")
    whole = apart(*FILTER, 0.05, below=folder)
    after = verify(folder / "out")["snapshot"]
    assert before != after
    kills = 0
    for moment in moments(count, whole.changes):
        shutil.rmtree(folder / "out")
        shutil.copytree(folder.parent / "older", folder / "out")
        ended = apart(*FILTER, 0.05, below=folder, harm="kill", moment=moment)
        assert ended.was_killed, (moment, ended)
        kills += 1
        verify(folder / "audit")
        assert verify(folder / "out")["snapshot"] in (before, after), moment
        assert apart(*FILTER, 0.05, below=folder).code == 0
        assert verify(folder / "out")["snapshot"] == after, moment
        assert sorted(path.name for path in folder.iterdir()) == ["audit", "out", "pairs.jsonl"], "nothing is left of it"
    return kills


def test_a_filter_killed_at_twenty_moments_leaves_what_was_there_and_ends_the_same(apart, audited, record_property):
    kills = killed_while_filtering(apart, audited, MOMENTS * TRIES)
    record_property("tries", kills)
    assert kills >= MOMENTS


def steps_of(work: Path) -> tuple[int, int]:
    """Steps that a run had made, and those in its newest whole checkpoint."""
    log = work / "metrics.jsonl"
    made = log.read_text().count("\n") if log.is_file() else 0
    return made, max((int(each.name[5:]) for each in work.glob("step-*")), default=0)


def weights(folder: Path) -> list[str]:
    return digests_of(folder / "model.safetensors", folder / "metrics.jsonl")


def test_a_run_killed_at_twenty_moments_loses_no_more_than_since_its_checkpoint(apart, place, record_property):
    folder = place(40)
    whole = apart(*TRAIN, *SHORT, below=folder)
    assert whole.code == 0, whole.err
    known, snapshot = weights(folder / "policy"), verify(folder / "policy")["snapshot"]
    (folder / "policy").rename(folder / "undisturbed")
    kills = 0
    for turn in range(TRIES):
        kills += killed_while_training(apart, folder, MOMENTS - LAST, whole.changes // MOMENTS + 1 + turn)
        kills += killed_while_publishing(apart, folder, LAST, snapshot)
        assert weights(folder / "policy") == known
        verify(folder / "undisturbed")
        shutil.rmtree(folder / "policy")
    record_property("tries", kills)
    assert kills == MOMENTS * TRIES


def killed_while_training(apart, folder, count, stride):
    """Kills the same run again and again, after every so many changes that it makes, and looks at what each left."""
    reached = 0
    for _ in range(count):
        ended = apart(*TRAIN, *SHORT, below=folder, harm="kill", moment=stride)
        assert ended.was_killed
        made, kept = steps_of(folder / ".policy.training")
        assert made - kept <= SAVE_EVERY
        assert kept >= reached, "a checkpoint was lost"
        reached = kept
        assert not (folder / "policy").exists()
    return count


def killed_while_publishing(apart, folder, count, snapshot):
    """Kills what is left of the run at moments of its end: the last step, the copies, the rename, the clearing away."""
    work, kept = folder / ".policy.training", folder.parent / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(work, kept)
    for left in folder.glob(".policy.*"):  # of the last kill: to clear it away would be changes too
        shutil.rmtree(left) if left != work else None
    whole = apart(*TRAIN, *SHORT, below=folder)
    assert whole.code == 0, whole.err
    for at in range(count):
        shutil.rmtree(folder / "policy")
        shutil.copytree(kept, work)
        ended = apart(*TRAIN, *SHORT, below=folder, harm="kill", moment=whole.changes - 11 * at)
        assert ended.was_killed
        assert not (folder / "policy").exists() or verify(folder / "policy")["snapshot"] == snapshot
        assert apart(*TRAIN, *SHORT, below=folder).code == 0
        assert verify(folder / "policy")["snapshot"] == snapshot
        assert not list(folder.glob(".*")), "nothing is left of it"
    return count
