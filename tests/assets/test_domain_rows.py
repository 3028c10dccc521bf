"""Settings of experiments of opinions: what a file may say, what is refused, and which partitions come of them."""

import sys

import pytest

from assets.domain.rows import GENERATED, Opinions, opinions_of
from assets.experiment_files import changed, load
from assets.experiments import EXPERIMENTS
from pipelines.schema import DataError

ROWS = """
[mine]
source = "people.jsonl"
opinions = { preferences = "human", scorer = "published", phi = "monotone_additive" }

[defaults]
opinions = {}

[several]
seeds = [0, 1]
[several.opinions]
groups = 3

[not_written]
opinions = { writer = "poet" }

[not_marked]
opinions = { scorer = "server", scoring = { base_url = "http://127.0.0.1:9/v1" }, products = -1 }

[no_table]
opinions = 3
"""


def test_a_file_says_whose_reviews_and_who_marks_them(tmp_path):
    (tmp_path / "rows.toml").write_text(ROWS)
    (tmp_path / "people.jsonl").write_text("")
    rows, refused = load(tmp_path / "rows.toml")
    assert list(rows) == ["mine", "defaults", "several"]
    assert rows["mine"].opinions == Opinions(preferences="human", scorer="published", phi="monotone_additive")
    assert rows["mine"].source == str(tmp_path / "people.jsonl")
    assert (rows["defaults"].opinions, rows["defaults"].source) == (Opinions(), GENERATED)
    said = "\n".join(refused)
    assert "[not_written]: writer must be one of rules, server, none, got 'poet'" in said
    assert "[not_marked]: products must be a finite number, above 0, got -1" in said
    assert "[no_table]: opinions is a table of settings, got 3" in said


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"scorer": "astrologer"}, "scorer must be one of offline, published, server"),
        ({"preferences": "mine"}, "preferences must be one of tiers, scores, human"),
        ({"preferences": "human"}, "generated reviews have no human preferences"),
        ({"scorer": "published"}, "published scores are of summaries that come with the source"),
        ({"writing": {"model": "a"}}, "model is no setting of the writer rules"),
        ({"writer": "server", "writing": {"api_key": "secret"}}, "api_key is no setting of the writer server"),
        ({"scorer": "server", "scoring": {"api_key": "secret"}}, "api_key is no setting of the scorer server"),
        ({"scorer": "server", "scoring": {"colour": 1}}, "colour is no setting of the scorer server"),
        ({"phi": "oracle"}, "phi must be one of feed_forward, linear"),
        ({"phi": "linear", "fitting": {"hidden": [2]}}, "hidden is no setting of the linear phi"),
        ({"contrary": 0.5}, "contrary is a share of labels and must lie in"),
        ({"scorer": "server", "scoring": {"cache": "a"}}, "cache is no setting of the scorer server"),
        ({"phi": "feed_forward", "fitting": {"seed": 1}}, "seed is no setting of the feed_forward phi"),
        ({"groups": 0}, "groups must be a finite number, above 0"),
    ],
)
def test_a_wrong_setting_is_named(table, words):
    with pytest.raises(DataError, match=words):
        opinions_of(table, GENERATED)


def test_published_marks_go_with_summaries_that_came_with_the_source():
    row = opinions_of({"scorer": "published", "writer": "none"}, "tiers.jsonl")
    assert (row.scorer, row.writer, row.preferences) == ("published", "none", "tiers")


def test_a_server_may_stand_anywhere_and_has_a_usual_place():
    row = opinions_of(
        {"scorer": "server", "scoring": {"base_url": "http://127.0.0.1:9/v1", "model": "m", "retries": 1}}, GENERATED
    )
    assert row.scoring == {"base_url": "http://127.0.0.1:9/v1", "model": "m", "retries": 1}
    assert opinions_of({"scorer": "server"}, GENERATED).scoring == {}


def test_settings_are_put_over_a_row_by_dotted_names():
    row = changed(EXPERIMENTS["opinions_10pct"], {"opinions.products": 12, "opinions.phi": "naive_mean"})
    assert (row.opinions.products, row.opinions.phi) == (12, "naive_mean")
    assert EXPERIMENTS["opinions_10pct"].opinions.products > 12


def test_dotted_names_go_as_deep_as_tables_do_and_a_missing_part_is_named():
    row = EXPERIMENTS["opinions_10pct"]
    found = changed(row, {"opinions.scorer": "server", "opinions.scoring.model": "m", "opinions.scoring.retries": 1})
    assert found.opinions.scoring == {"model": "m", "retries": 1}
    assert row.opinions.scoring == {}
    with pytest.raises(DataError, match=r"phi is no field of an experiment; write opinions\.phi"):
        changed(row, {"phi": "naive_mean"})
    with pytest.raises(DataError, match="scoring must be dict, got 'm'; behind --set a table is JSON"):
        changed(row, {"opinions.scoring": "m"})


def test_partitions_are_of_experiments_of_opinions_alone(location, tmp_path):
    with location("[plain]\npairs = 100\n[several]\nseeds = [0, 1]\nopinions = { groups = 3 }\n", tmp_path / "home"):
        partitions = sys.modules["assets.partitions"]
        assert list(partitions.OPINIONS) == ["opinions_10pct", "several-seed0", "several-seed1"]
        assert partitions.GROUPS["several-seed1-2of3"] == ("several-seed1", 1)
        assert sum(base == "several-seed0" for base, _ in partitions.GROUPS.values()) == 3
        assert not any("plain" in name for name in partitions.JUDGED)
        assert partitions.by_study.get_partition_keys() == ["opinions_10pct", "several"]
