"""Values that are worked out once, whoever asks and however many at a time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from checks.kept import Kept, kept


class Owner:
    """Counts its calls; `double` needs `single`."""

    def __init__(self):
        self.store, self.calls, self.start = Kept(), [], Barrier(4)

    def once(self, call):
        return self.store.get(call, lambda: call(self))

    @kept
    def single(self):
        """One."""
        self.calls.append("single")
        return 1

    @kept
    def double(self):
        self.calls.append("double")
        return 2 * self.single


def test_threads_that_ask_together_share_one_value():
    owner = Owner()

    def ask(name):
        owner.start.wait()
        return getattr(owner, name)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, ["double", "single", "double", "single"])) == [2, 1, 2, 1]
    assert sorted(owner.calls) == ["double", "single"]


def test_others_work_meanwhile():
    store, both = Kept(), Barrier(2, timeout=20)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda key: store.get(key, lambda: both.wait() >= 0), "ab")) == [True, True]


def test_what_failed_is_tried_again():
    store = Kept()
    with pytest.raises(ZeroDivisionError):
        store.get("a", lambda: 1 // 0)
    assert store.get("a", lambda: 1) == 1
    assert store.get("a", lambda: 2) == 1


def test_it_is_the_owners_own_and_told_as_its_method():
    first, second = Owner(), Owner()
    assert first.single is second.single is first.single
    assert (first.calls, second.calls) == (["single"], ["single"])
    assert vars(Owner)["single"].__doc__ == "One."
