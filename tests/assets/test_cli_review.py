"""A review from the command line: what was set aside is looked at, decided, sent to annotators and read back."""

import json

import polars as pl
import pytest

from pipelines.reviewing import FORMS
from pipelines.schema import CONFIRM, DECISIONS, PUT_BACK, REJECTS, require
from pipelines.snapshots import manifest, staged
from pipelines.sources import records
from tests.pipelines.reviewers import BACK, OUT, Said, fill, parted

EVIL = "tea \x1b[2J\u202e and\nranks | rank 1"


@pytest.fixture
def filtered(tmp_path):
    """Twelve pairs, eight of which are set aside."""
    return published(tmp_path / "filtered", [True, True, False] * 4)


def published(folder, flags, texts=(EVIL, "bread")):
    found = parted(flags, texts=texts)
    with staged(folder, "filtered pairs") as aside:
        found.kept.write_parquet(aside / "kept.parquet")
        found.quarantined.write_parquet(aside / "quarantined.parquet")
    return folder


def table(folder, name):
    return pl.read_parquet(folder / f"{name}.parquet")


def ids(folder):
    return table(folder, "quarantined")["pair_id"].to_list()


def test_what_is_set_aside_is_listed_by_reason_and_by_suspicion(filtered, antivenom):
    code, said, _ = antivenom("review", "list", filtered, "--top", 2, "--json")
    told = json.loads(said)
    assert (code, told["quarantined"], told["found"]) == (0, 8, 8)
    assert {row["pairs"] for row in told["reasons"]} == {4}
    assert [row["suspicion"] for row in told["pairs"]] == sorted(table(filtered, "quarantined")["suspicion"])[:-3:-1]
    code, said, _ = antivenom("review", "list", filtered, "--reason", "bread")
    lines = said.splitlines()
    assert lines[0] == "4 of 8 pairs that are set aside"
    assert lines[1].split(maxsplit=1) == ["4", "it says 'bread'"]
    assert len(lines) == 3 + 4
    assert all(line.split()[0] in ids(filtered) for line in lines[3:])


def test_texts_can_neither_speak_to_the_terminal_nor_pass_for_our_words(filtered, antivenom):
    for words in (("list", filtered), ("show", filtered, ids(filtered)[0])):
        code, said, _ = antivenom("review", *words)
        assert code == 0
        assert "\x1b" not in said
        assert "\u202e" not in said
        assert "tea" in said
        assert [line for line in said.splitlines() if line.startswith("ranks")] == []


def test_a_pair_is_shown_with_its_texts_numbers_and_ranks(filtered, antivenom):
    row = table(filtered, "quarantined").row(2, named=True)
    told = json.loads(antivenom("review", "show", filtered, row["pair_id"], "--json")[1])
    assert [told[name] for name in ("prompt", "chosen", "rejected", "reason")] == [
        row[name] for name in ("prompt", "chosen", "rejected", "reason")
    ]
    higher = int((table(filtered, "quarantined")["suspicion"] > row["suspicion"]).sum())
    assert told["numbers"]["suspicion"] == {"number": row["suspicion"], "rank": 1 + higher}
    assert told["numbers"]["phrase_lift"] == {"number": row["phrase_lift"], "rank": 1 + higher}
    assert told["put_back"] is False


def test_decisions_are_published_and_those_before_stay(filtered, tmp_path, antivenom):
    first, second, *_ = ids(filtered)
    one, two = tmp_path / "one", tmp_path / "two"
    code, said, _ = antivenom(
        "review", "decide", filtered, first, second, "--put-back", "--comment", "fine", "--reviewer", "ann", "--out", one
    )  # fmt: skip
    assert code == 0
    assert "6 pairs kept, 2 of which were put back; 6 set aside" in said
    assert table(one, "kept")["row"].to_list() == [0, 1, 2, 5, 8, 11]
    assert manifest(one)["kind"] == "filtered pairs"
    assert manifest(one)["parents"] == [manifest(filtered)["snapshot"]]
    assert antivenom("review", "decide", one, first, "--confirm", "--out", two)[0] == 0
    assert table(two, "kept")["row"].to_list() == [1, 2, 5, 8, 11]
    assert table(two, "quarantined").equals(table(filtered, "quarantined").filter(pl.col("pair_id") != second))
    said = require(table(two, "decisions"), DECISIONS)
    assert said.rows() == [(first, PUT_BACK, "ann", "fine"), (second, PUT_BACK, "ann", "fine"), (first, CONFIRM, None, None)]
    assert len(records.read(str(two / "kept.parquet")).pairs) == 5
    assert "decided: put_back by ann: fine" in antivenom("review", "show", two, first)[1]
    assert antivenom("verify", two)[0] == 0
    assert json.loads(antivenom("trace", first, "--in", tmp_path, "--json")[1])["folders"] == 3


@pytest.mark.parametrize("tool", FORMS)
def test_a_review_goes_out_and_comes_back(tool, filtered, tmp_path, antivenom):
    tasks, made, again = tmp_path / "tasks", tmp_path / "made", tmp_path / "again"
    assert antivenom("review", "export", filtered, "--out", tasks, "--format", tool)[0] == 0
    a, b, c, d, e, f, g, _ = ids(filtered)
    said = {
        a: [Said(BACK, "ann", "harmless")], b: [Said(OUT, "ann")], c: [Said(BACK, "ann"), Said(OUT, "bob")],
        d: [Said("perhaps")], e: [Said(BACK, edited="prompt")], f: [Said(OUT, is_cancelled=True)],
        g: [Said(BACK, "ann"), Said(BACK, "bob")],
    }  # fmt: skip
    fill(tool, tasks, said)
    (tasks / "broken.json").write_text("[" * 100_000)
    code, out, wrong = antivenom("review", "import", filtered, "--answers", tasks, "--out", made, "--json")
    assert code == 0, wrong
    told = json.loads(out)
    assert {name: told[name] for name in ("kept", "quarantined", "put_back", "undecided", "rejects", "read")} == {
        "kept": 6, "quarantined": 6, "put_back": 2, "undecided": 1, "rejects": 4, "read": 4,
    }  # fmt: skip
    assert table(made, "put_back")["pair_id"].to_list() == [a, g]
    assert set(table(made, "undecided").rows()) == {(c, PUT_BACK, "ann", None), (c, CONFIRM, "bob", None)}
    assert len(require(table(made, "rejects"), REJECTS)) == 4
    assert len(manifest(made)["parents"]) == 2
    decided = antivenom("review", "decide", made, c, "--put-back", "--out", again, "--json")[1]
    assert json.loads(decided)["undecided"] == 0
    assert table(again, "decisions")["reviewer"].to_list()[-3:] == ["ann", "bob", None]
    assert len(table(again, "rejects")) == 4
    assert table(again, "kept").height + table(again, "quarantined").height == 12
    code, out, _ = antivenom("review", "import", filtered, "--answers", tasks, "--out", made)
    assert "4 decisions read; 4 answers are no decisions" in out
    assert "about 1 of which people disagree" in out


def test_what_decisions_say_of_the_audit(filtered, tmp_path, antivenom):
    one, two, out = tmp_path / "one", tmp_path / "two", tmp_path / "found"
    bread = table(filtered, "quarantined").filter(pl.col("reason").str.contains("bread"))["pair_id"].to_list()
    antivenom("review", "decide", filtered, *bread[:3], "--confirm", "--out", one)
    antivenom("review", "decide", one, bread[3], "--put-back", "--out", two)
    code, said, _ = antivenom("review", "calibrate", two)
    assert code == 0
    assert "4 of 8 pairs that were set aside are decided" in said
    assert "3 of 4: 75.0% (19.4% to 99.4%); fewer than 5: too few to say anything" in said
    other = next(each for each in ids(two) if each not in bread)
    antivenom("review", "decide", two, other, "--put-back", "--out", tmp_path / "three")
    code, said, _ = antivenom("review", "calibrate", one, two, tmp_path / "three", "--out", out, "--json")
    told = json.loads(said)
    assert (code, told["reviewed"], told["shares"][0]["confirmed"], told["shares"][0]["is_enough"]) == (0, 5, 3, True)
    assert table(out, "calibration").rows(named=True) == told["shares"]
    assert len(manifest(out)["parents"]) == 3


def test_what_is_unusable_is_one_line_and_code_2(filtered, tmp_path, antivenom):
    name, x = ids(filtered)[0], ("--out", tmp_path / "x")
    kept = table(filtered, "kept")["pair_id"][0]
    empty = published(tmp_path / "empty", [False] * 3)
    with staged(tmp_path / "audit", "audit") as aside:
        (aside / "a.txt").write_text("a")
    (tmp_path / "broken.json").write_text("{")
    for words, said in (
        (("list", tmp_path / "nowhere"), "no readable manifest.json"),
        (("list", tmp_path / "audit"), "holds 'audit' and not 'filtered pairs'"),
        (("list", filtered, "--reason", "cake"), "nothing is set aside for 'cake'; there is"),
        (("show", filtered, "0" * 16), "is in no table of this folder"),
        (("show", filtered, kept), "was kept and never set aside"),
        (("decide", filtered, name, *x), "--put-back or --confirm, one of both"),
        (("decide", filtered, name, *x, "--put-back", "--confirm"), "--put-back or --confirm, one of both"),
        (("decide", filtered, name, kept, *x, "--confirm"), "was kept and never set aside"),
        (("decide", filtered, name, "--confirm", "--out", filtered), "is read here and would be replaced"),
        (("export", filtered, *x, "--format", "paper"), "--format must be one of argilla, label_studio, got 'paper'"),
        (("export", empty, *x), "nothing is set aside"),
        (("import", filtered, *x, "--answers", tmp_path / "none"), "holds no JSON file"),
        (("import", filtered, *x, "--answers", tmp_path / "broken.json"), "none of 1 answers is of use"),
        (("calibrate", filtered, *x), "none of 8 pairs that were set aside was decided"),
    ):
        code, _, wrong = antivenom("review", *words)
        assert (code, len(wrong.strip().splitlines())) == (2, 1), (words, wrong)
        assert said in wrong
        assert not (tmp_path / "x").exists()
    assert antivenom("review", "list", empty)[:2] == (0, "0 of 0 pairs that are set aside\n")
    table(filtered, "kept").head(1).write_parquet(filtered / "kept.parquet")
    assert "changed since it was published" in antivenom("review", "decide", filtered, name, *x, "--confirm")[2]


def test_what_is_made_of_poison_says_so(tmp_path, antivenom):
    found = parted([True, False])
    with staged(tmp_path / "filtered", "filtered pairs", {"poisoned": True}) as aside:
        found.kept.write_parquet(aside / "kept.parquet")
        found.quarantined.write_parquet(aside / "quarantined.parquet")
    [name] = ids(tmp_path / "filtered")
    assert antivenom("review", "decide", tmp_path / "filtered", name, "--put-back", "--out", tmp_path / "made")[0] == 0
    assert manifest(tmp_path / "made")["poisoned"] is True
