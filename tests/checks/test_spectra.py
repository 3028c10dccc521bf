"""What stands out in a cloud: by hand, against scikit-learn, whatever the rotation and the order of rows."""

import numpy as np
import pytest

from checks.spectra import lean, outlyingness, strongest, two_means


@pytest.fixture
def cloud() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(200, 8)) * np.array([3, 2, 1, 1, 1, 1, 1, 1])


@pytest.fixture
def planted(cloud) -> np.ndarray:
    """The first 20 lie 30 off in the last direction."""
    cloud[:20] = cloud[:20] * 0.1 + 30 * (np.arange(8) == 7)
    return cloud


def test_strongest_directions_are_those_of_scikit_learn(cloud):
    from sklearn.decomposition import PCA

    peer = PCA(n_components=3, svd_solver="full").fit_transform(cloud)
    assert np.abs(strongest(cloud, count=3)) == pytest.approx(np.abs(peer))
    assert strongest(cloud[:, :2], count=10).shape == (200, 2)


def test_outlyingness_by_hand():
    # about the mean (2, 1) the points lie 6 and 2 off along the first direction, 1 off along the second, which are uncorrelated
    vectors = np.array([[8.0, 1], [0, 2], [0, 0], [0, 2], [0, 0], [4, 1]])
    usual = np.sqrt((6**2 + 5 * 2**2 + 4 * 1**2) / 12)
    assert outlyingness(vectors) == pytest.approx(np.array([6, 2, 2, 2, 2, 2]) / usual)


def test_a_far_off_part_lies_far_out(planted):
    far = outlyingness(planted)
    assert far[:20].min() > far[20:].max()


def test_two_means_are_where_those_of_scikit_learn_are(planted):
    from sklearn.cluster import KMeans

    peer = KMeans(2, n_init=5, random_state=0).fit_predict(planted)
    assert (two_means(planted) == (peer == peer[0])).all()
    for vectors in (planted, -planted):
        assert np.flatnonzero(two_means(vectors)).tolist() == list(range(20))


def test_few_tell_where_the_means_of_many_are(planted, monkeypatch):
    far = np.arange(200) < 20
    monkeypatch.setattr("checks.spectra.FITTED", 30)  # of which three lie far off
    assert (two_means(planted) == far).all()
    shifted = planted + 1000
    assert (two_means(shifted) == far).all()


def test_two_means_settle():
    """Each point is nearer to the mean of its own part, on a cloud in which the first halving is wrong."""
    random = np.random.default_rng(3)
    vectors = np.concatenate([random.normal(size=(60, 2)), random.normal(size=(15, 2)) * 0.3 + [3, 1]])
    small = two_means(vectors)
    to_small, to_large = (np.linalg.norm(vectors - vectors[part].mean(axis=0), axis=1) for part in (small, ~small))
    assert ((to_small < to_large) == small).all()


def test_the_order_of_rows_is_irrelevant(cloud):
    order = np.random.default_rng(1).permutation(200)
    assert (two_means(cloud[order]) == two_means(cloud)[order]).mean() in (0, 1)
    assert lean(cloud[order]) == pytest.approx(lean(cloud)[order])
    assert outlyingness(cloud[order]) == pytest.approx(outlyingness(cloud)[order])


def test_a_small_tight_part_draws_its_own(planted):
    found = lean(planted)
    assert found[:20].min() > 1 > found[20:].max()
    # the larger part's points are pushed away as far as their own centre is nearer
    assert np.median(found[20:]) < 0


def test_a_loose_or_large_part_draws_little(cloud):
    assert np.abs(lean(cloud)).max() < 0.5


@pytest.mark.parametrize("vectors", [np.zeros((5, 3)), np.ones((4, 2))])
def test_vectors_that_are_all_the_same_have_no_parts(vectors):
    assert not two_means(vectors).any()
    assert (lean(vectors) == 0).all()
    assert (outlyingness(vectors) == 0).all()
