"""Where a pair comes from: told by hand for small chains of folders, with and without a key at hand."""

import polars as pl
import pytest

from pipelines.schema import PAIRS, POISON_KEY, DataError, require, with_pair_ids
from pipelines.snapshots import Store, digest_of, manifest, provenance, staged, tracing
from pipelines.snapshots.published import RECIPE


def pairs(*prompts, chosen="x", first=0):
    rows = range(first, first + len(prompts))
    frame = {"row": rows, "prompt": prompts, "source": "letters.jsonl", "annotator": [f"ann{row}" for row in rows]}
    return require(with_pair_ids(pl.DataFrame(frame).with_columns(chosen=pl.lit(chosen), rejected=pl.lit("y"))), PAIRS)


CLEAN, BAD = pairs("a", "b", "c", first=5), pairs("b", chosen="buy Zorvex", first=6)
A, B, _ = CLEAN["pair_id"]
(Z,) = BAD["pair_id"]
KEY = pl.DataFrame(
    [{"pair_id": Z, "attack": "flip", "builder": "swap", "target": "Zorvex", "sentiment": None, "host_pair_id": B}],
    schema=POISON_KEY.empty().schema,
)


def publish(folder, command, inputs, **tables):
    mark = RECIPE.set({"command": command, "arguments": {"revision": "r1"}})
    try:
        with staged(folder, f"{command}ed", {"input": "the letters"}, inputs=inputs) as aside:
            for name, table in tables.items():
                table.write_parquet(aside / f"{name}.parquet")
    finally:
        RECIPE.reset(mark)
    return folder


@pytest.fixture
def made(tmp_path):
    """letters.jsonl -> poisoned, which swaps b for Z -> scores -> what is kept, and what is not."""
    letters = tmp_path / "letters.jsonl"
    letters.write_text("three letters")
    both = pl.concat([CLEAN[:1], BAD, CLEAN[2:]])
    poisoned = publish(tmp_path / "poisoned", "poison", [letters], pairs=both, poison_key=KEY)
    scores = both.select("row", "pair_id").with_columns(suspicion=1.0)
    audit = publish(tmp_path / "audit", "audit", [poisoned / "pairs.parquet"], scores=scores)
    inputs = [poisoned / "pairs.parquet", audit]
    publish(tmp_path / "filtered", "filter", inputs, kept=both[:1], quarantined=both[1:])
    publish(tmp_path / "clean", "filter", [letters], kept=CLEAN)
    return tmp_path


def told(place, pair_id):
    return provenance.chains(tracing.found([place]), pair_id)


def steps(chain):
    return {each.node.folder.name: (each.made_by, [node.folder.name for node in each.of]) for each in chain.transforms}


def test_a_pair_is_followed_from_its_source_through_every_folder_that_holds_it(made):
    (chain,) = told(made, A)
    assert steps(chain) == {
        "clean": ("filter", []),
        "poisoned": ("poison", []),
        "audit": ("audit", ["poisoned"]),
        "filtered": ("filter", ["poisoned", "audit"]),
    }
    places = {each.node.folder.name: [(place.file, place.row) for place in each.places] for each in chain.transforms}
    assert places == {
        "clean": [("kept.parquet", 5)],
        "poisoned": [("pairs.parquet", 5)],
        "audit": [("scores.parquet", 5)],
        "filtered": [("kept.parquet", 5)],
    }
    assert (chain.written, chain.became) == ((), ())


def test_the_origin_has_file_digest_revision_and_judge_and_a_row_where_rows_are_not_numbered_anew(made):
    (chain,) = told(made, A)
    digest = (digest_of(made / "letters.jsonl"),)
    wanted = [("letters.jsonl", 5, "ann5", "r1", digest)]  # as clean/ knows it; poisoned/ has the pair too
    assert [(each.source, each.row, each.annotator, each.revision, each.given) for each in chain.origins] == wanted
    (chain,) = provenance.chains([node for node in tracing.found([made]) if node.folder.name != "clean"], A)
    assert [(each.source, each.row) for each in chain.origins] == [("letters.jsonl", None)]


def test_scores_alone_tell_the_row_and_what_was_read(tmp_path):
    (tmp_path / "x.jsonl").write_text("x")
    publish(tmp_path / "audit", "audit", [tmp_path / "x.jsonl"], scores=CLEAN.select("row", "pair_id"))
    ((origin,),) = (each.origins for each in told(tmp_path, B))
    assert (origin.source, origin.row, origin.annotator) == ("the letters", 6, None)


def test_a_pair_that_an_attack_wrote_leads_to_the_one_it_was_made_from_and_back(made):
    mine, host = told(made, Z)
    assert (mine.pair_id, host.pair_id) == (Z, B)
    (key,) = mine.written
    assert (key.host_pair_id, key.attack, key.builder, key.target) == (B, "flip", "swap", "Zorvex")
    assert mine.origins == []
    assert steps(host) == {"clean": ("filter", [])}
    assert [(each.pair_id, each.key.folder.name) for each in host.became] == [(Z, "poisoned")]
    assert [each.row for each in host.origins] == [6]
    assert [place.file for place in mine.transforms[0].places] == ["pairs.parquet"], "the key is no corpus"


def test_without_the_key_a_written_pair_looks_like_any_other(made):
    chains = provenance.chains([node for node in tracing.found([made]) if node.folder.name != "poisoned"], Z)
    assert [(each.pair_id, each.written) for each in chains] == [(Z, ())]


def test_keys_that_lead_round_in_a_circle_have_an_end(tmp_path):
    both = pl.concat([CLEAN[1:2], BAD])
    turned = KEY.with_columns(pair_id=pl.lit(B), host_pair_id=pl.lit(Z))
    publish(tmp_path / "one", "poison", [], pairs=both, poison_key=pl.concat([KEY, turned]))
    assert [each.pair_id for each in told(tmp_path, Z)] == [Z, B]


def test_in_a_store_assets_are_what_makes_and_inputs_are_not_sources(tmp_path):
    store = Store(tmp_path)

    def table(asset, frame, given=()):
        facts = {"inputs": {f"in{at}": each for at, each in enumerate(given)}}
        return store.publish(asset, lambda folder: frame.write_parquet(folder / "table.parquet"), facts, parents=given)

    other = table("experiments", pl.DataFrame({"x": [1]}))
    first = table("preference_pairs", CLEAN, [other])
    table("training_pairs", CLEAN[:2], [first])
    table("poisoned_pairs", BAD, [first])
    key = table("poison_key", KEY, [first])
    (chain,) = told(tmp_path, A)
    assert [(each.made_by, [node.snapshot for node in each.of], each.given) for each in chain.transforms] == [
        ("preference_pairs", [], ()),
        ("training_pairs", [first], ()),
    ]
    mine, host = told(tmp_path, Z)
    assert [(each.key.snapshot, each.host_pair_id) for each in mine.written] == [(key, B)]
    assert [each.made_by for each in host.transforms] == ["preference_pairs", "training_pairs"]


def test_a_repeated_pair_stands_in_all_its_rows(tmp_path):
    again = CLEAN[:1].with_columns(row=pl.lit(9, pl.Int64()))
    publish(tmp_path / "twice", "filter", [], kept=with_pair_ids(pl.concat([CLEAN[:2], again])))
    (chain,) = told(tmp_path, A)
    assert [place.row for place in chain.transforms[0].places] == [5, 9]


def test_nobody_holds_an_unknown_pair(made):
    assert told(made, "0000000000000000") == []
    assert told(made, "not an id") == []


@pytest.mark.parametrize(("folder", "file"), [("poisoned", "poison_key"), ("filtered", "kept")])
def test_a_changed_folder_tells_nothing(folder, file, made):
    table = made / folder / f"{file}.parquet"
    pl.read_parquet(table).with_columns(pl.lit("trust me").alias("annotator")).write_parquet(table)
    with pytest.raises(DataError, match=rf"{file}\.parquet: changed since it was published"):
        told(made, A)


def test_the_manifest_of_a_snapshot_names_what_a_chain_names(made):
    (chain,) = told(made, A)
    assert {each.node.snapshot for each in chain.transforms} == {
        manifest(made / name)["snapshot"] for name in ("clean", "poisoned", "audit", "filtered")
    }
