"""A study with people from the command line: tasks out, filled in as annotators do, verdicts and the report in; the sandbox."""

import json

import polars as pl
import pytest

from pipelines.sandbox import trying
from pipelines.sandbox.hostile import Hostile
from pipelines.sandbox.running import End
from pipelines.schema import VERDICTS, require
from pipelines.studies import key
from tests.pipelines.annotators import NO, WORDS, Said, fill, outputs_of

RIGHTS = [(True, False), (False, False), (False, True), (True, True), (False, False), (False, False)] * 4


@pytest.fixture
def outputs(tmp_path):
    file = tmp_path / "outputs.parquet"
    outputs_of(RIGHTS).write_parquet(file)
    return file


def answers(assignments):
    """What people say: sure of zebra's right answers, taken in by quagga; one each of what can go wrong."""
    told = {}
    for at, row in enumerate(assignments.iter_rows(named=True)):
        level = 75 if row["policy"] == "quagga" else 25
        person = row["judge"]
        odd = {
            0: Said(person, consent=NO), 1: Said(person, confidence=None), 2: Said(person, seconds=400.0),
            3: Said(person, edited=True), 4: Said(person, is_cancelled=True),
        }  # fmt: skip
        told[row["shown_id"]] = [odd.get(at, Said(person, confidence=WORDS[level], seconds=30.0 + at % 7))]
    return told


@pytest.mark.parametrize("tool", ["label_studio", "argilla"])
def test_a_study_goes_out_and_comes_back_with_its_report(tool, outputs, tmp_path, antivenom):
    tasks, found = tmp_path / "tasks", tmp_path / "found"
    names = ("--before", "zebra", "--after", "quagga", "--format", tool)
    code, said, wrong = antivenom(
        "study", "export", outputs, "--out", tasks, *names, "--set", "judges=6", "--set", "seconds=180", "--json"
    )  # fmt: skip
    assert code == 0, wrong
    told = json.loads(said)
    assert (told["tasks"], told["items"], told["judges"]) == (48, 24, 6)
    assert told["populations"] == {"differ": 8, "same_right": 4, "same_wrong": 12}
    plan = key.read(tmp_path / "tasks.key.json")
    for file in tasks.rglob("*.json"):
        assert "zebra" not in file.read_text()
        assert "quagga" not in file.read_text()
    fill(tool, tasks, answers(plan.assignments))
    code, said, wrong = antivenom(
        "study", "import", tasks, "--key", told["key"], "--outputs", outputs, "--out", found, *names, "--json"
    )  # fmt: skip
    assert code == 0, wrong
    told = json.loads(said)
    assert told["faults"] == {"cancelled": 1, "no answer": 1, "no consent": 1, "the task was changed": 1}
    assert (told["asked"], told["verdicts"], told["over time"], told["rejects"]) == (48, 44, 1, 0)
    table = require(pl.read_parquet(found / "verdicts.parquet"), VERDICTS)
    assert table.drop_nulls("confidence").group_by("policy").agg(pl.col("confidence").max()).sort("policy").rows() == [
        ("quagga", 75.0), ("zebra", max(25.0, table.filter(policy="zebra")["confidence"].max())),
    ]  # fmt: skip
    (run,) = told["runs"]
    assert run["verdict"] == "detected"  # of what quagga says all is approved, of zebra's nothing
    report = (found / "report.html").read_text()
    assert "judged by people" in report
    assert "These judges are no people" not in report
    assert "1 verdicts took longer than the limit of 180 seconds" in report
    assert {file.name for file in found.iterdir()} >= {"sophistry.parquet", "runs.parquet", "audits.parquet"}


def test_without_outputs_there_are_verdicts_and_no_report(outputs, tmp_path, antivenom):
    tasks, found = tmp_path / "tasks", tmp_path / "found"
    code, said, _ = antivenom("study", "export", outputs, "--out", tasks, "--before", "zebra", "--after", "quagga")
    assert code == 0
    assert "the key stays with you" in said
    fill("label_studio", tasks, answers(key.read(tmp_path / "tasks.key.json").assignments))
    code, said, _ = antivenom("study", "import", tasks, "--key", tmp_path / "tasks.key.json", "--out", found)
    assert code == 0
    assert "44 of 48 outputs have a verdict (cancelled: 1; no answer: 1; no consent: 1; the task was changed: 1)" in said
    assert not (found / "report.html").exists()


def test_what_is_unusable_is_one_line_and_code_2(outputs, tmp_path, antivenom):
    names = ("--before", "zebra", "--after", "quagga")
    tasks = tmp_path / "tasks"
    assert antivenom("study", "export", outputs, "--out", tasks, *names)[0] == 0
    kept = tmp_path / "tasks.key.json"
    fill("label_studio", tasks, answers(key.read(kept).assignments))
    x = ("--out", tmp_path / "x")
    for words, said in (
        (("export", outputs, *x), "and 'base' and 'trained' have none; check the names"),
        (("export", outputs, *x, *names, "--format", "paper"), "--format must be one of argilla"),
        (("export", outputs, *x, *names, "--set", "colour=1"), "colour is no setting of a study with people"),
        (("export", outputs, "--out", tasks, *names, "--set", "seed=3"), "holds another study's key"),
        (("export", tmp_path / "none.jsonl", *x), "no such file"),
        (("import", tasks, "--key", tmp_path / "none.json", *x), "expected the key of a study"),
        (("import", tmp_path / "none", "--key", kept, *x), "holds no JSON file"),
        (("import", tasks, "--key", kept, *x, "--outputs", outputs), "'base' is none of them; set --before"),
    ):
        code, _, wrong = antivenom("study", *words)
        assert (code, len(wrong.strip().splitlines())) == (2, 1), wrong
        assert said in wrong
        assert not (tmp_path / "x").exists()


FEW = {
    name: Hostile(name, program, frozenset({End.OK, End.CRASH}))
    for name, program in {
        "calls": 'import socket\nsocket.create_connection(("127.0.0.1", @PORT@), timeout=1)\nprint("ESCAPED")',
        "writes": 'open("@FILE@", "w").write("x")',
    }.items()
}


def test_the_sandbox_says_of_each_hostile_program_whether_it_was_contained(antivenom, monkeypatch):
    monkeypatch.setattr(trying.tried, "__kwdefaults__", {"programs": FEW})
    code, said, _ = antivenom("sandbox", "--json")
    told = json.loads(said)
    assert (code, told["contained"]) == (0, True)
    assert [each["name"] for each in told["programs"]] == ["calls", "writes"]
    assert set(told["strength"]["closed"]) == {"network", "files", "processes"}


def test_whatever_gets_out_is_named_and_the_code_says_so(antivenom, monkeypatch):
    """A sandbox that is none: what is attacked tells of it, whatever the program says."""
    import subprocess
    import sys

    from pipelines.sandbox import Ran

    def open_door(program, *_, limits):
        subprocess.run([sys.executable, "-c", program.replace("ESCAPED", "")], capture_output=True)
        return Ran(End.OK, b"", "", 0, 0.1, 0.1, (), False)

    monkeypatch.setattr(trying, "run", open_door)
    monkeypatch.setattr(trying.tried, "__kwdefaults__", {"programs": FEW})
    code, said, _ = antivenom("sandbox")
    assert code == 3
    assert "(reached the port)" in said
    assert "(reached a file outside)" in said
    assert "0 of 2 hostile programs were contained" in said
