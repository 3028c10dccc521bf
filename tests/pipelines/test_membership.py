import hashlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.snapshots import membership


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def ids(*numbers: int) -> np.ndarray:
    return np.sort(np.array(numbers, dtype=np.uint64)).astype(">u8")


def test_ids_are_the_digits_in_ascending_order_and_a_repeated_pair_counts_again():
    found = membership.ids_of(pl.Series(["00000000000000ff", "0000000000000002", "0000000000000002-1"]))
    assert found.tolist() == [2, 2, 255]
    assert membership.id_of("ffffffffffffffff") == 2**64 - 1


def test_ids_of_others_making_are_digested():
    made = int.from_bytes(hashlib.sha256(b"my pair").digest()[:8], "big")
    assert membership.ids_of(pl.Series(["my pair", "0000000000000001"])).tolist() == sorted([made, 1])
    assert membership.id_of("abc") == int.from_bytes(hashlib.sha256(b"abc").digest()[:8], "big")  # hex, and too short


def test_the_root_of_one_leaf_by_hand():
    leaf = sha(b"\0", (2).to_bytes(8, "big"), (255).to_bytes(8, "big"))
    assert membership.root(ids(2, 255)) == sha(b"\2", leaf, (2).to_bytes(8, "big")).hex()
    assert membership.root(ids()) == sha(b"\2", sha(b"\0"), (0).to_bytes(8, "big")).hex()


def test_the_root_of_two_leaves_by_hand():
    numbers = list(range(10, 10 + membership.FAN + 1))
    raw = [number.to_bytes(8, "big") for number in numbers]
    top = sha(b"\1", sha(b"\0", *raw[: membership.FAN]), sha(b"\0", raw[-1]))
    assert membership.root(ids(*numbers)) == sha(b"\2", top, len(numbers).to_bytes(8, "big")).hex()


@settings(deadline=None)
@given(st.sets(st.integers(0, 2**64 - 1), min_size=1, max_size=40), st.integers(0, 2**64 - 1))
def test_whatever_is_there_is_found_and_proved_and_nothing_else(tmp_path_factory, numbers, other):
    held = ids(*numbers)
    file = tmp_path_factory.mktemp("ids") / "pairs.ids"
    known = membership.write(held, file)
    for number in numbers:
        assert membership.holds(file, number)
        assert membership.proves(membership.proof(held, number), number, known)
    if other not in numbers:
        assert not membership.holds(file, other)
        assert membership.proof(held, other) is None
        assert not membership.proves(membership.proof(held, min(numbers)), other, known)


def test_a_proof_of_many_pairs_is_small_and_holds_for_its_root_alone():
    held = np.sort(np.random.default_rng(0).integers(0, 2**64, 200_000, dtype=np.uint64)).astype(">u8")
    known = membership.root(held)
    for place in (0, 99_999, 199_999):
        found = membership.proof(held, int(held[place]))
        assert len(found.leaf) <= 8 * membership.FAN
        assert sum(len(beside) for _, beside in found.levels) <= 2 * membership.FAN + 4
        assert membership.proves(found, int(held[place]), known)
        assert not membership.proves(found, int(held[place]), membership.root(held[1:]))
        assert not membership.proves(found, int(held[(place + 5000) % len(held)]), known)


@pytest.mark.parametrize("place", [-1, 5])
def test_a_proof_that_leads_past_its_nodes_proves_nothing(place):
    held = ids(*range(2 * membership.FAN))
    found = membership.proof(held, 3)
    ((_, beside),) = found.levels
    assert membership.proves(found, 3, membership.root(held))
    assert not membership.proves(membership.Proof(found.leaf, ((place, beside),), found.count), 3, membership.root(held))


def test_an_empty_table_holds_nothing(tmp_path):
    membership.write(ids(), tmp_path / "none.ids")
    assert not membership.holds(tmp_path / "none.ids", 0)


def test_a_leaf_that_was_swapped_proves_nothing():
    held = ids(*range(2 * membership.FAN))
    found = membership.proof(held, 3)
    forged = membership.Proof(ids(*range(9000, 9256)).tobytes(), found.levels, found.count)
    assert not membership.proves(forged, 9000, membership.root(held))
