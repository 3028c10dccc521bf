"""Asset checks by themselves, on tables that are handed to them: what they say, how gravely, and what the store is told."""

import dagster as dg
import polars as pl
import pytest

from checks.asset_checks import BLOCKING, TOLD, all_checks
from pipelines.schema import PAIRS, SCORES, require, with_pair_ids

BY = dg.StaticPartitionsDefinition(["one"])


class Store(dg.IOManager):
    """Holds one table, whatever is asked for, and remembers what it was told."""

    def __init__(self, table: pl.DataFrame) -> None:
        self.table = table
        self.told: list[tuple[str, str, str]] = []

    def read(self, asset: str, partition: str) -> pl.DataFrame:
        return self.table

    def judge(self, asset: str, partition: str, *, held: str = "") -> None:
        self.told.append((asset, partition, held))

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """The table is here already."""

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        return self.table


def pairs(chosen: list[str]) -> pl.DataFrame:
    made = pl.DataFrame({"chosen": chosen}).select(
        row=pl.int_range(pl.len()),
        prompt=pl.format("Question {}?", pl.int_range(pl.len())),
        chosen="chosen",
        rejected=pl.lit("Worse."),
        source=pl.lit("made"),
    )
    return require(with_pair_ids(made), PAIRS)


def scores(reasons: list[str]) -> pl.DataFrame:
    """Scores flagged wherever there is a reason."""
    made = pl.DataFrame({"reason": reasons}).select(
        row=pl.int_range(pl.len()),
        pair_id=pl.format("pair {}", pl.int_range(pl.len())),
        suspicion=pl.lit(1.0),
        p_value=pl.lit(0.1),
        is_flagged=pl.col("reason") != "",
        reason="reason",
    )
    return require(made, SCORES)


def result(name: str, store: Store) -> dg.AssetCheckEvaluation:
    """What the named check says of the store's table."""
    every = all_checks(dict.fromkeys([*BLOCKING, *TOLD.values()], BY))
    (check,) = [check for check in every if next(iter(check.check_keys)).name == name]

    @dg.asset(name=next(iter(check.check_keys)).asset_key.to_user_string(), partitions_def=BY)
    def table() -> None: ...

    done = dg.materialize([table, check], partition_key="one", resources={"io_manager": store}, raise_on_error=False)
    (found,) = done.get_asset_check_evaluations()
    assert found.partition == "one"
    return found


def test_good_pairs_pass_and_are_set_free():
    store = Store(pairs([f"Good {place}." for place in range(40)]))
    found = result("pairs_are_well_formed", store)
    assert found.passed
    assert store.told == [("preference_pairs", "one", "")]


def test_pairs_that_fail_are_held_back_with_the_reason():
    store = Store(pairs(["Good."] * 36 + ["Worse."] * 4))
    found = result("training_pairs_are_well_formed", store)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    why = "training_pairs_are_well_formed failed: chosen and rejected differ in at least 95 % of pairs"
    assert store.told == [("training_pairs", "one", why)]
    first = found.metadata["expectations"].records[0].data
    assert (first["met"], first["unexpected rows"]) == (False, 4)
    assert first["examples"].startswith("row 36: ")


def test_what_only_deserves_a_warning_holds_nothing_back():
    store = Store(pairs([f"Good {place}." for place in range(37)] + [""] * 3))
    found = result("pairs_are_well_formed", store)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert store.told == [("preference_pairs", "one", "")]


@pytest.mark.parametrize(
    ("reasons", "passed", "words", "first"),
    [
        ([""] * 5, True, "0 of 5 pairs are flagged", None),
        (["", "b", "a", "b", ""], False, "3 of 5 pairs are flagged", {"pairs": 2, "reason": "b"}),
    ],
    ids=["none", "some"],
)
def test_flags_warn_with_their_count_and_the_commonest_reasons_first(reasons, passed, words, first):
    found = result("nothing_is_flagged", Store(scores(reasons)))
    assert (found.passed, found.severity, found.description) == (passed, dg.AssetCheckSeverity.WARN, words)
    top = found.metadata["commonest reasons"].records
    assert (top[0].data if top else None) == first
