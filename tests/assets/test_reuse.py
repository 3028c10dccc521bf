"""What is stale: settings, versions, contents and recalled pairs decide, and times do not."""

import dagster as dg
import polars as pl
import pytest

from assets import reuse
from assets.resources import SETTINGS, Snapshots
from pipelines.schema import with_pair_ids
from pipelines.snapshots import recalled

TEXTS = {"prompt": ["a"], "chosen": ["x"], "rejected": ["y"]}
PARTS = dg.StaticPartitionsDefinition(["one", "two"])


class Chain:
    """Two assets after one another, and two that are made together, in a store of their own."""

    def __init__(self, instance) -> None:
        self.instance, self.value = instance, "a"

        @dg.asset(partitions_def=PARTS)
        def pairs() -> pl.DataFrame:
            return with_pair_ids(pl.DataFrame(TEXTS | {"prompt": [self.value]}))

        @dg.asset(partitions_def=PARTS)
        def scores(pairs: pl.DataFrame) -> pl.DataFrame:
            return pairs.select("pair_id", length=pl.col("chosen").str.len_chars())

        @dg.multi_asset(outs={"kept": dg.AssetOut(), "dropped": dg.AssetOut()}, partitions_def=PARTS)
        def sift() -> tuple[pl.DataFrame, pl.DataFrame]:
            return pl.DataFrame({"x": [1]}), pl.DataFrame({"x": [2]})

        jobs = [
            dg.define_asset_job("chain", dg.AssetSelection.assets(pairs, scores)),
            dg.define_asset_job("sifted", dg.AssetSelection.assets("kept", "dropped")),
        ]
        self.defs = dg.Definitions([pairs, scores, sift], jobs=jobs, resources={"io_manager": Snapshots()})

    def stale(self, key="k", partition="one", job="chain") -> list[str]:
        found = reuse.stale(self.defs.resolve_job_def(job), partition, key)
        return [each.to_user_string() for each in found]

    def make(self, *names: str, key="k", partition="one", job="chain") -> None:
        selected = [dg.AssetKey(name) for name in names or ("pairs", "scores")]
        job = self.defs.resolve_job_def(job)
        tags = {SETTINGS: key}
        assert job.execute_in_process(
            partition_key=partition, instance=self.instance, tags=tags, asset_selection=selected
        ).success


@pytest.fixture
def chain(tmp_path, monkeypatch):
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        yield Chain(instance)


def test_what_was_never_made_is_and_what_was_made_is_not(chain):
    assert chain.stale() == ["pairs", "scores"]
    chain.make()
    assert chain.stale() == []
    assert chain.stale(partition="two") == ["pairs", "scores"]


def test_other_settings_and_another_version_make_all_stale(chain, monkeypatch):
    chain.make()
    assert chain.stale(key="other") == ["pairs", "scores"]
    monkeypatch.setattr(reuse, "code", lambda: {"version": "9.9", "source": ""})
    assert chain.stale() == ["pairs", "scores"]


def test_another_content_makes_stale_what_comes_after_it_and_the_same_one_does_not(chain):
    chain.make()
    chain.make("pairs")
    assert chain.stale() == [], "made anew, and the same"
    chain.value = "b"
    chain.make("pairs")
    assert chain.stale() == ["scores"]
    chain.make("scores")
    assert chain.stale() == []


def test_what_comes_after_something_stale_is_stale(chain):
    chain.make()
    chain.make("scores", key="other")
    assert chain.stale(key="other") == ["pairs", "scores"]
    assert chain.stale() == ["scores"]


def test_what_a_check_holds_back_is_stale(chain):
    chain.make()
    Snapshots().judge("pairs", "one", held="it has two alike")
    assert chain.stale() == ["pairs", "scores"]
    Snapshots().judge("pairs", "one")
    assert chain.stale() == []


def test_what_holds_a_recalled_pair_is_stale_and_made_without_it(chain, tmp_path):
    chain.make()
    recalled.add(tmp_path, with_pair_ids(pl.DataFrame(TEXTS))["pair_id"])
    assert chain.stale() == ["pairs", "scores"]
    chain.make()
    assert chain.stale() == []
    assert [len(Snapshots().read(name, "one")) for name in ("pairs", "scores")] == [0, 0]


def test_versions_in_dagster_are_digests_of_contents(chain):
    versions = []
    for value in ("a", "b", "a"):
        chain.value = value
        chain.make("pairs")
        told = chain.instance.get_latest_materialization_event(dg.AssetKey("pairs")).asset_materialization
        versions.append(told.tags["dagster/data_version"])
    assert versions[0] == versions[2] != versions[1]
    assert versions[2] == Snapshots().told("pairs", "one")["content"]


def test_what_is_made_together_is_stale_together(chain):
    chain.make("kept", "dropped", job="sifted")
    assert chain.stale(job="sifted") == []
    Snapshots().judge("kept", "one", held="no")
    assert chain.stale(job="sifted") == ["dropped", "kept"]


def test_a_partition_has_one_name_whatever_it_was_before(chain, monkeypatch, tmp_path):
    names = []
    for poisoned in (False, True, False):
        monkeypatch.setattr("assets.resources.is_poisoned", lambda partition, poisoned=poisoned: poisoned)
        chain.make("pairs")
        names.append(list(Snapshots().store.refs()))
    assert names == [["clean/pairs/one"], ["poisoned/pairs/one"], ["clean/pairs/one"]]
