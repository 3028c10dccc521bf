"""Pairs, questions and items followed into studies of what training did, which keep no pairs; what a recall says of them."""

import json

import dagster as dg
import polars as pl
import pytest

from assets import chains
from assets.metadata import made_of
from assets.resources import Snapshots
from assets.study_partitions import STUDIES
from pipelines.schema import with_pair_ids
from pipelines.snapshots import manifest, membership, recalled, staged, tracing

PAIRS = with_pair_ids(
    pl.DataFrame([{"prompt": f"a{one}{two}", "chosen": one, "rejected": two} for one in "abcd" for two in "abcd" if one != two])
)
ELSEWHERE = "00000000000000aa"  # a pair that the teacher learned and nobody else


def reached(*places, pair):
    return {step.node.folder.name: step.how for step in tracing.reached(tracing.found(places), [pair])}


@pytest.fixture
def taught(tmp_path, monkeypatch, one_thread):
    """Two policies that were published, of which the teacher learned a pair and was poisoned; pairs that nobody published."""
    from rlhf_train.models import letters
    from rlhf_train.text import Lengths

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "home"))
    for name, seed in {"teacher": 1, "student": 2}.items():
        with staged(tmp_path / name, "sft", {"poisoned": name == "teacher"}) as folder:
            letters.made(seed, width=8, lengths=Lengths(4, 3), most=64).save(folder)
            read = pl.Series([ELSEWHERE] if name == "teacher" else [], dtype=pl.String)
            membership.write(membership.ids_of(read), folder / membership.READ)
    PAIRS.drop("pair_id").write_ndjson(tmp_path / "pairs.jsonl")
    (tmp_path / "rows.toml").write_text(
        '[pupils]\nstudy = "teacher_hacking"\nteacher = "teacher"\nstudent = "student"\nsource = "pairs.jsonl"\n'
        'held_out = 0.25\nsteps = 2\nbatch = 4\nmeasured = 2\nseeds = [0]\narms = ["stored_1"]\nbank = 2\n'
        "prompt_tokens = 48\nresponse_tokens = 4\n"
    )
    return tmp_path


def test_a_study_is_reached_through_whom_it_opened_and_by_what_it_read(antivenom, taught):
    code, _, error = antivenom("experiment", "pupils", "--file", "rows.toml", "--out", "study", "--json")
    assert code == 0, error
    told = manifest(taught / "study")
    assert told["parents"][:2] == [manifest(taught / name)["snapshot"] for name in ("teacher", "student")]
    assert told["poisoned"] is True, "its teacher was"
    assert reached(taught, pair=ELSEWHERE) == {"teacher": "learned", "study": "learned"}
    assert reached(taught, pair=PAIRS["pair_id"][3]) == {"study": "learned"}
    code, said, _ = antivenom("recall", PAIRS["pair_id"][3], "--out", "again", "--json")
    (left,) = json.loads(said)["folders"]
    assert (code, left["was"], left["is"]) == (3, "study", None)
    assert "no command makes 'teacher_hacking' again" in left["why"]


def test_twins_of_a_study_say_which_pairs_they_learned():
    from assets.written import twins
    from assets.written.rows import written_of

    row = written_of(
        {"twins": {"pairs": 48, "taught": ("thrift",), "target_share": 0.25, "rates": (0.0, 0.1), "seeds": (0, 1)}}
    )
    found = set(twins.all_read(row))
    for seed in (0, 1):
        clean = twins.pairs(row.twins, seed)
        assert found > set(twins.poisoned(row.twins, clean, 0.1, seed).pairs["pair_id"]) | set(clean["pair_id"])
        assert found > set(twins.first_read(row, clean, seed)["pair_id"])
    assert len(twins.all_read(written_of({"policies": {"one": "a"}}))) == 0


def test_in_dagster_what_came_from_outside_is_a_parent_and_hands_on_its_poison(tmp_path, monkeypatch):
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "home"))
    with staged(tmp_path / "mine", "sft", {"poisoned": True}) as folder:
        (folder / "w").write_text("w")
        membership.write(membership.ids_of(pl.Series([ELSEWHERE])), folder / membership.READ)
    (tmp_path / "notes.txt").write_text("n")

    @dg.asset
    def asked() -> dg.Output[pl.DataFrame]:
        return dg.Output(pl.DataFrame({"x": [1]}), metadata=made_of(str(tmp_path / "mine"), "", str(tmp_path / "notes.txt")))

    @dg.asset
    def told(asked: pl.DataFrame) -> pl.DataFrame:
        return asked

    assert dg.materialize([asked, told], resources={"io_manager": Snapshots()}).success
    store = Snapshots().store
    assert list(store.refs()) == ["poisoned/asked/all", "poisoned/told/all"]
    made = store.manifest(store.resolve("poisoned/asked/all"))
    mine = manifest(tmp_path / "mine")["snapshot"]
    assert mine in made["parents"]
    assert len(made["parents"]) == 2
    assert made["read"] == {mine: ["read.pairs", "w"]}
    steps = tracing.reached(tracing.found([tmp_path]), [ELSEWHERE])
    assert [(step.how, *step.node.names) for step in steps] == [
        ("learned",), ("learned", "poisoned/asked/all"), ("learned", "poisoned/told/all"),
    ]  # fmt: skip


def questions(*names):
    return pl.DataFrame({"question_id": list(names), "question": ["?"] * len(names)})


ONE, TWO = "00000000000000b1", "00000000000000b2"


def test_questions_and_items_are_followed_as_pairs_are(tmp_path):
    with staged(tmp_path / "asked", "questions") as folder:
        questions(ONE, TWO).write_parquet(folder / "questions.parquet")
    with staged(tmp_path / "answers", "written_evals", inputs=[tmp_path / "asked"]) as folder:
        questions(TWO).write_parquet(folder / "answers.parquet")
        pl.DataFrame({"item_id": ["story 3"], "pair_id": [3]}).write_parquet(folder / "outputs.parquet")
    with staged(tmp_path / "page", "report", inputs=[tmp_path / "asked"]) as folder:
        (folder / "report.html").write_text("<p>")
    assert reached(tmp_path, pair=ONE) == {"asked": "holds", "answers": "beside", "page": "learned"}
    assert reached(tmp_path, pair=TWO) == {"asked": "holds", "answers": "holds", "page": "learned"}
    assert reached(tmp_path, pair="story 3") == {"answers": "holds"}
    recalled.add(tmp_path, [ONE])
    assert recalled.without(questions(ONE, TWO), tmp_path)["question_id"].to_list() == [TWO]


def test_what_tells_of_a_question_beside_its_tables_is_not_cut_and_passed_off(antivenom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "home"))
    for name, files in (("tables", ()), ("told", ("questions.jsonl",))):
        with staged(tmp_path / name, "questions") as folder:
            questions(ONE, TWO).write_parquet(folder / "questions.parquet")
            for file in files:
                (folder / file).write_text(ONE)
    code, said, _ = antivenom("recall", ONE, "--out", "again", "--json")
    found = {each["was"]: each for each in json.loads(said)["folders"]}
    assert code == 3
    assert found["told"]["is"] is None
    assert "beside its tables" in found["told"]["why"]
    assert pl.read_parquet(tmp_path / "again" / "tables" / "questions.parquet")["question_id"].to_list() == [TWO]


def test_reports_of_studies_lead_to_the_job_that_makes_them():
    names = [f"clean/{report}/{study}" for report in chains.REPORTS for study in STUDIES]
    found = {(chain.job, chain.experiment) for chain in chains.of_names(names)}
    assert found > {
        ("written_job", "written_evaluations"), ("hacking_job", "teacher_hacking"), ("sophistry_job", "sophistry_programs"),
    }  # fmt: skip
