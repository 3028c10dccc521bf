"""Settings by name: what people write behind --set or in TOML, held against the call that takes them."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from inspect import Parameter, signature
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from pipelines.schema import DataError

BARE: Mapping[Any, tuple[type, ...]] = {int: (int,), float: (float, int), str: (str,), bool: (bool,), NoneType: (NoneType,)}


def checked(
    given: Mapping[str, Any], *calls: Callable[..., Any], about: str, besides: Sequence[str] = (), parts: Sequence[str] = ()
) -> dict[str, Any]:
    """`given`, each value of the type that a parameter of `calls` has; those `besides` are not to be set.

    `about` is what the settings belong to, in words, and `parts` what else may be written there. Raises DataError naming
    an unknown setting or a wrong value.
    """
    known = {name: kinds for name, (kinds, _) in _parameters(calls).items() if name not in besides}
    return {name: _typed(name, value, known, about, parts) for name, value in given.items()}


def refuse_negative(numbers: Mapping[str, Any], *, may_be_zero: Sequence[str] = ()) -> None:
    """Raises DataError naming the first number that is infinite, below 0, or 0 where it may not be zero."""
    for name, value in numbers.items():
        if isinstance(value, (int, float)) and (not isfinite(value) or value < 0 or (value == 0 and name not in may_be_zero)):
            least = "0 or more" if name in may_be_zero else "above 0"
            raise DataError(f"{name} must be a finite number, {least}, got {value:g}")


def defaults(*calls: Callable[..., Any]) -> dict[str, Any]:
    """What the settings of `calls` are where none is given."""
    return {name: default for name, (_, default) in _parameters(calls).items()}


def _parameters(calls: Sequence[Callable[..., Any]]) -> dict[str, tuple[tuple[type, ...], Any]]:
    """Name -> (types, default) of the parameters that have a default and can be written down; the first call's word counts."""
    found: dict[str, tuple[tuple[type, ...], Any]] = {}
    for parameter in (parameter for call in calls for parameter in signature(call).parameters.values()):
        kinds = _kinds(parameter.annotation)
        if kinds and parameter.default is not Parameter.empty:
            found.setdefault(parameter.name, (kinds, parameter.default))
    return found


def _kinds(annotation: Any) -> tuple[type, ...]:
    """The types that JSON or TOML give for an annotation; none for what can't be written there, as a function."""
    if isinstance(annotation, UnionType):
        parts = [_kinds(part) for part in get_args(annotation)]
        return tuple(kind for part in parts for kind in part) if all(parts) else ()
    origin = get_origin(annotation)
    if origin is Literal:
        return (str,)
    if origin is not None and isinstance(origin, type):
        return (dict,) if issubclass(origin, Mapping) else (list, tuple) if issubclass(origin, Sequence) else ()
    return BARE.get(annotation, ())


def _typed(name: str, value: Any, known: Mapping[str, tuple[type, ...]], about: str, parts: Sequence[str]) -> Any:
    if name not in known:
        there = [*known, *parts]
        near = get_close_matches(name, there, n=1, cutoff=0.7)
        mend = f"did you mean {near[0]}? " if near else ""
        raise DataError(f"{name} is no setting of {about}; {mend}there are {', '.join(there) or 'none'}")
    kinds = known[name]
    if type(value) not in kinds:
        wanted = " or ".join(kind.__name__ for kind in kinds if kind not in (NoneType, tuple))
        mend = f"; quote it: '{name}=\"{value}\"'" if str in kinds else ""
        if dict in kinds and type(value) is str:
            mend = f"; behind --set a table is JSON: '{name}={{\"setting\": value}}'"
        raise DataError(f"{name} must be {wanted}, got {value!r}{mend}")
    if isinstance(value, list):
        return tuple(value)
    return float(value) if kinds[0] is float and value is not None else value
