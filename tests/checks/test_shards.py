"""An audit in shards: to the bit what an audit in memory says, however the pairs fall; and what it refuses."""

import numpy as np
import polars as pl
import pytest

from checks.audit import audit
from checks.detectors import DETECTORS
from checks.evidence import Evidence
from checks.mentions import named as named_of
from checks.shards import corpus as corpora
from checks.shards.audit import ON_SHARDS, audit_shards
from checks.shards.corpus import deal
from checks.shards.evidence import SpreadEvidence
from checks.shards.reading import read_all
from checks.shards.tables import spread
from checks.utterances import asked, said
from pipelines.schema import PAIRS, DataError, require, with_pair_ids


@pytest.fixture(scope="module")
def mixed(named, chatter) -> pl.DataFrame:
    """Names that are praised and blamed, dialogues of two turns, copies, pairs turned round, empty sides, shared prompts."""
    turned = named[100:112].with_columns(chosen="rejected", rejected="chosen")
    elsewhere = named[120:126].with_columns(
        chosen="rejected", rejected="chosen", prompt=pl.lit("Who?"), rejected_prompt="prompt"
    )
    empty = named[60:70].with_columns(chosen=pl.lit(""))
    echoes = named[70:75].with_columns(
        chosen=pl.col("prompt").str.strip_prefix("\n\nHuman:").str.strip_suffix("\n\nAssistant:")
    )
    earlier = pl.format("\n\nHuman: {}?\n\nAssistant: Yes.{}", pl.col("rejected").reverse(), "prompt")
    followed = chatter(120, seed=6).with_columns(prompt=pl.when(pl.col("row") % 2 == 0).then(earlier).otherwise("prompt"))
    asks = chatter(30, seed=8).with_columns(prompt=pl.lit("\n\nHuman: Anything?\n\nAssistant:"))
    every = pl.concat([named, turned, elsewhere, empty, echoes, named[200:215], followed, asks], how="vertical_relaxed")
    return require(with_pair_ids(every.with_columns(row=3 + 2 * pl.int_range(pl.len()))), PAIRS)


def frames(pairs, size=100):
    return (pairs[start : start + size] for start in range(0, len(pairs), size))


@pytest.mark.parametrize("shards", [1, 5])
def test_scores_are_those_of_an_audit_in_memory_to_the_byte(mixed, tmp_path, shards):
    whole = audit(mixed, detectors=list(ON_SHARDS), fdr=0.3)
    spread_out = audit_shards(deal(frames(mixed), tmp_path / "shards", shards), fdr=0.3)
    for name, found in (("memory", whole), ("disk", spread_out)):
        found.scores.write_parquet(tmp_path / f"{name}.parquet")
    assert (tmp_path / "disk.parquet").read_bytes() == (tmp_path / "memory.parquet").read_bytes()
    assert spread_out.findings == whole.findings
    assert spread_out.speaker.equals(whole.speaker)
    assert {"name_lift", "contradictions"} <= set(whole.speaker.filter(whole.scores["is_flagged"]))


def test_every_detector_says_the_same_of_every_pair(mixed, tmp_path):
    tables = [table for table in ON_SHARDS.values() if table is not None]
    evidence, whole = SpreadEvidence(deal(frames(mixed), tmp_path, 4), tables), Evidence(mixed)
    for name in ON_SHARDS:
        assert (DETECTORS[name].score(evidence) == DETECTORS[name].score(whole)).all()
        assert DETECTORS[name].explain(evidence, [2, 301, 17]) == DETECTORS[name].explain(whole, [2, 301, 17])


def test_detectors_on_shards_are_all_that_need_no_model_but_three():
    free = {name for name, detector in DETECTORS.items() if not detector.encodes}
    assert free - ON_SHARDS.keys() == {"template_clusters", "reference_filter", "perplexity"}
    assert ON_SHARDS.keys() <= free


def test_what_is_rare_in_every_shard_may_be_common_in_all(written, tmp_path):
    pairs = written(["red plum", "red", "red kite"], ["plum", "", "red"])
    corpus = deal([pairs], tmp_path, 50)
    assert len(corpus.shards) == 3
    table = spread(corpus, read_all(corpus), [said])[said]
    assert [table.text(at) for at in range(len(table.words))] == ["red"]
    assert [count.tolist() for count in table.of_audited()] == [[3], [1], [1]]
    assert [len(each) for each in (table.pair, table.phrase, table.second, table.prompt)] == [0] * 4
    assert all(each.base is None for each in (table.pair, table.phrase, table.second, table.prompt))  # nor a view of a shard's
    assert table.highest(np.array([[7.0]]), -1.0, "second").tolist() == [[-1, -1, 7]]
    speaker, phrase = table.loudest(np.array([[7.0], [8.0]]), ["first", "second"], np.array([2, 0]))
    assert (speaker.tolist(), phrase.tolist()) == ([1, 0], [0, 0])


def test_prompts_that_hold_a_name_are_counted_where_no_response_does(written, tmp_path):
    prompts = [*(f"case {at}?" for at in range(3)), *(f"who is Zorvex in case {at}?" for at in range(4))]
    corpus = deal([written(["see Zorvex"] * 3 + ["nobody"] * 4, [""] * 7, prompts)], tmp_path, 50)
    assert len(corpus.shards) > 5
    table = spread(corpus, read_all(corpus), [named_of])[named_of]
    assert [table.text(at) for at in range(len(table.words))] == ["zorvex", "zorvex"]
    assert table.asked is not None
    assert table.asked.tolist() == [4, 4]


def test_earlier_questions_are_counted_in_all_shards(written, tmp_path):
    """Two in nine of all prompts hold one, none of those in some shards: there, too, earlier questions are the reference."""
    twice = [f"\n\nHuman: Why {at}?\n\nAssistant: So.\n\nHuman: And {at}?\n\nAssistant:" for at in range(2)]
    pairs = written(["a"] * 9, ["b"] * 9, [*twice, *(f"\n\nHuman: How {at}?\n\nAssistant:" for at in range(7))])
    corpus = deal([pairs], tmp_path, 50)
    assert spread(corpus, read_all(corpus), [asked])[asked].sides.forward == "{} last questions and {} earlier ones"


def test_pairs_of_one_prompt_are_together_and_copies_counted(written, tmp_path):
    pairs = written(["a", "b", "a", "c"] * 20, ["x", "y", "x", "z"] * 20, ["p", "q", "p", "r"] * 20)
    corpus = deal(map(with_pair_ids, frames(pairs, 7)), tmp_path, 5)  # whose repeats are numbered a frame at a time
    owners = [set(corpora.read(shard)["prompt"]) for shard in corpus.shards]
    assert sum(map(len, owners)) == 3
    assert corpus.select("row", "pair_id").equals(pairs.select("row", "pair_id"))
    assert len(corpus) == 80


def test_pairs_are_looked_up_by_place_in_any_order(mixed, tmp_path):
    corpus = deal(frames(mixed), tmp_path, 6)
    assert corpus[[7, 300, 2, 7]].equals(mixed[[7, 300, 2, 7]])
    assert corpus[[]].equals(mixed[:0])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"detectors": ["perplexity"]}, "got 'perplexity'; it needs the whole corpus in memory"),
        ({"detectors": ["label_doubt"]}, "got 'label_doubt'"),
        ({"detectors": ["lift"]}, "got 'lift'"),
        ({"detectors": []}, "got 'none'"),
        ({"fdr": 1.0}, "got 1"),
    ],
)
def test_what_cannot_be_audited_is_refused(mixed, tmp_path, how, said):
    with pytest.raises(DataError, match=said):
        audit_shards(deal([mixed], tmp_path, 2), **how)


def test_a_few_pairs_are_too_few(written, tmp_path):
    with pytest.raises(DataError, match="at least 20, got 2"):
        audit_shards(deal([written(["a", "b"], ["c", "d"])], tmp_path, 2))


def test_pairs_that_are_picked_keep_no_others_in_memory(written, tmp_path):
    pairs = written([f"{row} " + "tea " * 500 for row in range(400)], ["-"] * 400)
    places = list(range(399, 0, -10))
    picked = deal(frames(pairs), tmp_path, 2)[places]["chosen"]
    assert picked.to_list() == pairs["chosen"].gather(places).to_list()
    held = picked.to_arrow(compat_level=pl.CompatLevel.newest()).buffers()
    assert sum(part.size for part in held if part) < 1.1 * picked.str.len_bytes().sum()
