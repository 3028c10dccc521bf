"""Numbers of functions: keyword-only parameters with a default, which settings by name are held against."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from math import isfinite
from typing import Any, Literal, get_args, get_origin

from rlhf_train.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Number:
    """A default, whose kind a value must have, and the words to choose from where it is one."""

    default: Any
    choices: tuple[str, ...] = ()


def of(calls: Iterable[Callable[..., Any]]) -> dict[str, Number]:
    """The numbers of all calls together, by name."""
    parts = [part for call in calls for part in signature(call).parameters.values() if part.kind is Parameter.KEYWORD_ONLY]
    return {part.name: Number(part.default, _choices(part.annotation)) for part in parts}


def given_to(call: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `values` that are numbers of this call."""
    known = of([call])
    return {name: value for name, value in values.items() if name in known}


def checked(value: Any, number: Number, *, about: str) -> Any:
    """`value` if it is of the number's kind (a list as a tuple); TrainingError says what was expected of `about`."""
    if number.choices and value not in number.choices:
        raise TrainingError(f"{about} must be one of {', '.join(number.choices)}, got {value!r}")
    if isinstance(number.default, bool) and not isinstance(value, bool):
        raise TrainingError(f"{about} must be true or false, got {value!r}")
    if isinstance(number.default, tuple):
        if not isinstance(value, (list, tuple)) or not all(map(_is_finite, value)):
            raise TrainingError(f"{about} must be a list of finite numbers, got {value!r}")
        return tuple(value)
    if isinstance(number.default, (int, float)) and not isinstance(number.default, bool):
        if not _is_finite(value):
            raise TrainingError(f"{about} must be a finite number, got {value!r}")
        if isinstance(number.default, int) and value != int(value):
            raise TrainingError(f"{about} must be a whole number, got {value!r}")
    return value


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _choices(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()
