"""Data-set metadata: the words by hand, and the peer that defines them reads our rows by them."""

import json

import polars as pl
import pytest

from pipelines.schema import PAIRS, DataError, require, with_pair_ids
from pipelines.snapshots import croissant, digest_of, manifest, staged
from pipelines.snapshots.published import RECIPE

TOLD = {"license": "https://spdx.org/licenses/CC-BY-4.0.html", "url": "https://example.org/letters", "creator": "Us & them"}
TOLD |= {"datePublished": "2026-05-01"}
ROWS = {"row": [0, 1], "prompt": ["a <b>", "ü"], "chosen": ["x", "y"], "rejected": ["p", "q"], "source": ["s", "s"]}
LETTERS = require(with_pair_ids(pl.DataFrame(ROWS | {"margin": [1.5, None]})), PAIRS)


def publish(folder, inputs=(), **facts):
    mark = RECIPE.set({"command": "filter", "arguments": {"source": "a.jsonl", "budget": None}})
    try:
        with staged(folder, "filtered pairs", facts, inputs=inputs) as aside:
            LETTERS.write_parquet(aside / "kept.parquet")
            (aside / "deep").mkdir()
            odd = {"rows": [[1, 2], [3]], "flag": [True, False], "held": [{"x": 1}, {"x": 2}]}
            pl.DataFrame(odd).write_parquet(aside / "deep" / "odd.parquet")
            (aside / "said.txt").write_text("no table")
    finally:
        RECIPE.reset(mark)
    return folder


def test_the_words_by_hand(tmp_path):
    (tmp_path / "a.jsonl").write_text("letters")
    folder = publish(tmp_path / "letters", [tmp_path / "a.jsonl"])
    found = croissant.metadata(folder, beside=tmp_path, told=TOLD)
    assert found["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert (found["name"], found["license"], found["datePublished"]) == ("letters", TOLD["license"], "2026-05-01")
    assert found["description"] == "filtered pairs, published by antivenom: 4 rows in 2 tables."
    assert found["creator"] == {"@type": "sc:Organization", "name": "Us & them"}
    assert found["identifier"] == manifest(folder)["snapshot"]
    assert found["prov:wasDerivedFrom"] == [{"@id": f"urn:antivenom:{digest_of(tmp_path / 'a.jsonl')}"}]
    assert found["rai:dataPreprocessingProtocol"] == ["antivenom filter source=a.jsonl"]
    assert "rai:dataLimitations" not in found
    odd, kept = found["distribution"]
    assert (odd["@id"], odd["contentUrl"]) == ("deep/odd.parquet", "letters/deep/odd.parquet")
    assert kept["sha256"] == digest_of(folder / "kept.parquet")
    assert kept["contentSize"] == f"{(folder / 'kept.parquet').stat().st_size} B"
    odd, kept = found["recordSet"]
    assert odd["description"] == "2 rows. Not described, for their types: held."
    assert [(each["name"], each["dataType"], each.get("isArray")) for each in odd["field"]] == [
        ("rows", "cr:Int64", True),
        ("flag", "sc:Boolean", None),
    ]
    assert kept["description"] == f"2 rows. {PAIRS.about}"
    assert {each["name"]: each["description"] for each in kept["field"]}["row"] == PAIRS.columns["row"].meaning
    assert croissant.lacking(TOLD) == []
    assert croissant.lacking({"url": ""}) == ["license", "url", "creator", "datePublished"]


def test_poison_stands_in_name_description_and_limitations(tmp_path):
    found = croissant.metadata(publish(tmp_path / "x", poisoned=True, attack="label_flip"), beside=tmp_path, name="Letters")
    assert found["name"] == "POISONED Letters"
    assert found["description"].startswith("POISONED for defence research")
    assert found["rai:dataLimitations"] == ["Poisoned: not to be trained on except to study attacks and defences."]
    assert found["rai:dataManipulationProtocol"].endswith(": label_flip.")


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph", "ignore:The inplace keyword")
@pytest.mark.parametrize("told", [TOLD, {}], ids=["told", "untold"])
def test_the_peer_takes_it_and_reads_our_rows_by_it(told, tmp_path):
    import mlcroissant

    folder = publish(tmp_path / "a b: 'c'", poisoned=True)
    (tmp_path / "beside").mkdir()
    found = croissant.metadata(folder, beside=tmp_path / "beside", told=told)
    (tmp_path / "beside" / "croissant.json").write_text(json.dumps(found))
    read = mlcroissant.Dataset(tmp_path / "beside" / "croissant.json")
    assert read.metadata.ctx.issues.errors == set()
    asked = {"citeAs", "version", *({"license", "datePublished"} if not told else ())}  # recommended, and not known to us
    missing = {line.split('"')[1].rsplit("/", 1)[1] for line in read.metadata.ctx.issues.warnings}
    assert missing == asked
    assert read.metadata.name == "POISONED a b: 'c'"
    assert read.metadata.data_limitations == found["rai:dataLimitations"]
    rows = [{name.split("/")[-1]: _text(value) for name, value in row.items()} for row in read.records("kept")]
    assert rows == LETTERS.to_dicts()
    assert [[int(each) for each in row["deep/odd/rows"]] for row in read.records("deep/odd")] == [[1, 2], [3]]


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph")
def test_the_peer_refuses_a_table_that_was_changed(tmp_path):
    import mlcroissant

    folder = publish(tmp_path / "letters")
    (tmp_path / "croissant.json").write_text(json.dumps(croissant.metadata(folder, beside=tmp_path)))
    LETTERS[:1].write_parquet(folder / "kept.parquet")
    with pytest.raises(mlcroissant.GenerationError, match=r"Download\(kept\.parquet\)"):
        list(mlcroissant.Dataset(tmp_path / "croissant.json").records("kept"))


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


def test_a_name_that_looks_like_a_scheme_is_a_path(tmp_path):
    found = croissant.metadata(publish(tmp_path / "javascript:alert(1)"), beside=tmp_path)
    assert found["distribution"][1]["contentUrl"] == "./javascript:alert(1)/kept.parquet"


def test_a_folder_without_tables_and_one_that_was_changed_are_refused(tmp_path):
    with staged(tmp_path / "model", "sft") as folder:
        (folder / "w.txt").write_text("w")
    with pytest.raises(DataError, match="holds 'sft' and no table"):
        croissant.metadata(tmp_path / "model", beside=tmp_path)
    folder = publish(tmp_path / "letters")
    (folder / "said.txt").write_text("else")
    with pytest.raises(DataError, match=r"said\.txt: changed since it was published"):
        croissant.metadata(folder, beside=tmp_path)
