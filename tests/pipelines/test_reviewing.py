"""Decisions: whatever is decided, in whatever order, kept and set aside together are the pairs of the input."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.filtering import Filtered, put_back
from pipelines.reviewing import folders, looking
from pipelines.reviewing.decisions import decide, leave_open
from pipelines.schema import CONFIRM, PUT_BACK, DataError
from pipelines.snapshots import staged
from tests.pipelines.reviewers import decisions, parted

FLAGS = [True, False, True, True, False, True]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), flags=st.lists(st.booleans(), min_size=1, max_size=12))
def test_nothing_is_ever_lost(data, flags):
    """Rounds of random decisions and doubts: a pair is kept if it was never set aside, or if the last decision put it back."""
    began = now = parted(flags)
    names = began.quarantined["pair_id"].to_list()
    last = {}
    rows_of = st.lists(st.tuples(st.sampled_from(names), st.sampled_from([CONFIRM, PUT_BACK]))) if names else st.just([])
    rounds = data.draw(st.lists(rows_of, max_size=4))
    for rows in rounds:
        if data.draw(st.booleans()):
            now = leave_open(now, decisions(*rows))
        else:
            now = decide(now, decisions(*rows))
            last |= dict(rows)
    back = {name for name, decision in last.items() if decision == PUT_BACK}
    before = put_back(Filtered(began.kept, began.quarantined))
    assert put_back(Filtered(now.kept, now.quarantined)).equals(before)
    assert now.kept.equals(before.filter(~pl.col("pair_id").is_in(names) | pl.col("pair_id").is_in(list(back))))
    assert now.quarantined.equals(began.quarantined.filter(~pl.col("pair_id").is_in(list(back))))
    assert now.aside.equals(began.quarantined)
    assert now.put_back["pair_id"].to_list() == [name for name in names if name in back]
    assert dict(now.last.select("pair_id", "decision").iter_rows()) == last
    assert len(now.decisions) + len(now.undecided) == sum(map(len, rounds))


def test_a_pair_that_is_put_back_stands_in_its_place_by_row():
    began = parted(FLAGS)
    ids = began.quarantined["pair_id"].to_list()
    now = decide(began, decisions((ids[2], PUT_BACK), (ids[0], PUT_BACK)))
    assert now.kept["row"].to_list() == [0, 1, 3, 4]
    assert now.quarantined["row"].to_list() == [2, 5]
    assert now.kept.columns == began.kept.columns


def test_a_pair_that_is_put_back_and_confirmed_again_is_as_it_was():
    began = parted(FLAGS)
    name = began.quarantined["pair_id"][1]
    now = decide(decide(began, decisions((name, PUT_BACK, "ann", "good"))), decisions((name, CONFIRM, "bob")))
    assert now.kept.equals(began.kept)
    assert now.quarantined.equals(began.quarantined)
    assert now.put_back.is_empty()
    assert now.decisions.rows() == [(name, PUT_BACK, "ann", "good"), (name, CONFIRM, "bob", None)]
    assert now.standing.rows() == [(name, CONFIRM, "bob", None)]


def test_of_one_pair_twice_at_once_the_last_counts():
    began = parted(FLAGS)
    name = began.quarantined["pair_id"][0]
    assert decide(began, decisions((name, PUT_BACK), (name, CONFIRM))).kept.equals(began.kept)
    assert len(decide(began, decisions((name, CONFIRM), (name, PUT_BACK))).kept) == len(began.kept) + 1


def test_what_was_in_doubt_is_settled_by_a_decision_and_kept_before_it():
    began = parted(FLAGS)
    first, second = began.quarantined["pair_id"].to_list()[:2]
    open_ = leave_open(began, decisions((first, CONFIRM, "ann"), (first, PUT_BACK, "bob"), (second, PUT_BACK, "bob")))
    assert open_.quarantined.equals(began.quarantined)
    assert open_.standing.is_empty()
    now = decide(open_, decisions((first, PUT_BACK, "eve")))
    assert [row[2] for row in now.decisions.rows()] == ["ann", "bob", "eve"]
    assert now.undecided.rows() == [(second, PUT_BACK, "bob", None)]
    assert now.put_back["pair_id"].to_list() == [first]


def test_what_was_never_set_aside_and_what_is_no_decision_are_refused():
    began = parted(FLAGS)
    name = began.quarantined["pair_id"][0]
    for row, said in (
        ((began.kept["pair_id"][0], CONFIRM), "was kept and never set aside"),
        (("0" * 16, PUT_BACK), "is in no table of this folder"),
        ((name, "perhaps"), "a decision is confirm or put_back, got 'perhaps'"),
    ):
        with pytest.raises(DataError, match=said):
            decide(began, decisions(row))


@pytest.fixture
def folder(tmp_path):
    """`folder(reviewed, name)`: it, published."""

    def published(reviewed, name="filtered", kind=folders.KIND):
        with staged(tmp_path / name, kind) as aside:
            folders.write(reviewed, aside)
        return tmp_path / name

    return published


def test_a_folder_is_read_as_it_was_written(folder):
    began = parted(FLAGS)
    ids = began.quarantined["pair_id"].to_list()
    wanted = leave_open(decide(began, decisions((ids[0], PUT_BACK, "ann", "why"))), decisions((ids[1], PUT_BACK)))
    found = folders.read(folder(wanted))
    for name in ("kept", "quarantined", "put_back", "decisions", "undecided"):
        assert getattr(found, name).equals(getattr(wanted, name))
    assert dict(folders.counts(found)) == {"kept": 3, "quarantined": 3, "put_back": 1, "decided": 1, "undecided": 1}


def test_a_folder_of_the_filter_alone_has_no_decisions(tmp_path):
    began = parted(FLAGS)
    with staged(tmp_path / "filtered", folders.KIND) as aside:
        began.kept.write_parquet(aside / "kept.parquet")
        began.quarantined.write_parquet(aside / "quarantined.parquet")
    found = folders.read(tmp_path / "filtered")
    assert found.quarantined.equals(began.quarantined)
    assert (len(found.put_back), len(found.decisions), len(found.undecided)) == (0, 0, 0)


def test_folders_that_can_not_be_what_they_say_are_refused(folder):
    from dataclasses import replace

    began = parted(FLAGS)
    with pytest.raises(DataError, match="holds 'audit' and not 'filtered pairs'"):
        folders.read(folder(began, "other", "audit"))
    with pytest.raises(DataError, match="stands twice"):
        folders.read(folder(replace(began, kept=pl.concat([began.kept, began.kept.head(1)])), "twice"))
    with pytest.raises(DataError, match=r"was put back and is not in kept\.parquet"):
        folders.read(folder(replace(began, put_back=began.quarantined.head(1)), "astray"))
    with pytest.raises(DataError, match="'p_value'"):
        folders.read(folder(replace(began, quarantined=began.quarantined.drop("p_value")), "bare"))
    changed = folder(began, "changed")
    began.kept.head(1).write_parquet(changed / "kept.parquet")
    with pytest.raises(DataError, match="changed since it was published"):
        folders.read(changed)


def test_reasons_are_counted_without_what_they_say_of_one_pair():
    aside = pl.DataFrame({"reason": ["a name (row 3)", "a phrase", "a name (row 5)"]})
    assert looking.reasons(aside).rows() == [("a name", 2), ("a phrase", 1)]


def test_the_most_suspicious_come_first_and_words_of_a_reason_choose():
    aside = parted([True] * 6, texts=("t[ea", "bread"))
    assert looking.suspects(aside.quarantined)["suspicion"].to_list() == [4.0, 3.0, 2.0, 1.0, 0.0, 0.0]
    assert looking.suspects(aside.quarantined, reason="t[e")["row"].to_list() == [2, 4, 0]
    with pytest.raises(DataError, match="nothing is set aside for 'cake'; there is it says"):
        looking.suspects(aside.quarantined, reason="cake")
    assert looking.suspects(aside.quarantined.clear(), reason="cake").is_empty()


def test_ranks_are_among_all_that_were_set_aside():
    began = parted([True] * 5)  # suspicions 0 2 4 1 3
    name = began.quarantined["pair_id"][4]
    now = decide(began, decisions((began.quarantined["pair_id"][2], PUT_BACK)))
    assert list(looking.numbers(now.aside, name)) == [("suspicion", 3.0, 2), ("phrase_lift", 1.0, 2)]
    tied = parted([True] * 6).quarantined  # 0 2 4 1 3 0
    assert [rank for *_, rank in looking.numbers(tied, tied["pair_id"][0])] == [5, 5]


def test_a_pair_in_several_folders_counts_once_as_the_last_that_decided_it():
    began = parted([True] * 4)
    ids = began.quarantined["pair_id"].to_list()
    first = decide(began, decisions((ids[0], CONFIRM), (ids[1], CONFIRM), (ids[2], PUT_BACK)))
    second = leave_open(decide(first, decisions((ids[0], PUT_BACK))), decisions((ids[1], PUT_BACK)))
    found = looking.labelled([first, second, began])
    assert dict(found.select("pair_id", "decision").iter_rows()) == {
        ids[0]: PUT_BACK, ids[1]: None, ids[2]: PUT_BACK, ids[3]: None,
    }  # fmt: skip
