"""Nearest pairs, and nearest contrasts up to sign: by hand, whatever the block, and where there are too few."""

import numpy as np
import pytest

from checks.neighbours import CROWD, near_gaps, nearness


def test_by_hand():
    # gaps at these angles, of any length: to the first, 170 degrees is nearer up to sign than 30 is
    angles, lengths = np.radians([0, 30, 170, 100]), np.array([2.0, 0.5, 3.0, 1.0])
    gaps = lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    got = np.sort(near_gaps(gaps, k=2), axis=1)
    degrees = [[170, 30], [30, 140], [170, 140], [70, 70]]
    assert got == pytest.approx(np.sort(np.cos(np.radians(degrees)), axis=1))


def test_a_gap_of_nothing_is_near_to_none():
    near = near_gaps(np.array([[1.0, 0], [0, 0], [1, 0], [-1, 0.1]]), k=3)
    assert near[1].tolist() == [0, 0, 0]
    assert np.sort(near[0]) == pytest.approx([-1 / np.sqrt(1.01), 0, 1])


def test_where_there_are_few_the_rest_are_zeros():
    near = near_gaps(np.array([[1.0, 0], [1.0, 1.0]]), k=5)
    assert near.shape == (2, 5)
    assert near.sum(axis=1) == pytest.approx(np.sqrt([0.5, 0.5]))


def test_the_block_changes_nothing(monkeypatch):
    gaps = np.random.default_rng(0).normal(size=(50, 6))
    whole = np.sort(near_gaps(gaps, k=7), axis=1)
    monkeypatch.setattr("checks.neighbours.BLOCK", 8)
    assert np.sort(near_gaps(gaps, k=7), axis=1) == pytest.approx(whole)


def test_of_two_as_near_the_one_that_agrees_counts():
    gaps = np.array([[1.0, 0], [1, 1], [-1, -1]])
    assert near_gaps(gaps, k=1)[0] == pytest.approx(np.sqrt(0.5))
    assert near_gaps(gaps[[0, 2, 1]], k=1)[0] == pytest.approx(np.sqrt(0.5))


def test_nearness_by_hand():
    # unit vectors at these angles; the third nearest other of the first lies 70 degrees away
    angles = np.radians([0, 10, 40, 70, 150])
    got = nearness(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert got == pytest.approx(np.cos(np.radians([70, 60, 40, 70, 140])))
    assert nearness(np.eye(CROWD)).tolist() == [0] * CROWD


def test_nearness_does_not_depend_on_the_block(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(50, 6))
    whole = nearness(vectors)
    monkeypatch.setattr("checks.neighbours.BLOCK", 7)
    assert nearness(vectors) == pytest.approx(whole)
