"""Values that are worked out once, by whichever thread asks first; the others wait for it."""

from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any, Generic, Protocol, TypeVar

Value = TypeVar("Value")


class Kept:
    """Values by key. Those that need one another must not do so in a circle."""

    def __init__(self) -> None:
        self._values: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of that key, made where there is none yet."""
        with self._locks.setdefault(key, RLock()):
            if key not in self._values:
                self._values[key] = make()
            found: Value = self._values[key]
            return found


class Once(Protocol):
    """Whatever keeps what a call makes of it."""

    def once(self, call: Callable[[Any], Value]) -> Value: ...


class kept(Generic[Value]):
    """A property that `once` of its owner keeps: functools.cached_property, from 3.12 on, lets every thread work it out."""

    def __init__(self, method: Callable[[Any], Value]) -> None:
        self.method, self.__doc__ = method, method.__doc__

    def __get__(self, owner: Once, kind: type) -> Value:
        return owner.once(self.method)
