"""What a tier of summaries is (Nath et al., 2024), what a writer is asked for, and what a writer is."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Tier:
    """How good a summary is meant to be, in words for a language model, and the sampling that makes it so."""

    instruction: str
    sampling: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Request:
    """One summary to write, of the reviews in `prompt`; `other` is another product's prompt, "" where there is none."""

    prompt: str
    tier: str
    seed: int
    other: str = ""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: `write` gives the text of a request, and `at_once` requests may run side by side.

    `name` says where a summary came from. `terms` has a digest a tier of all that a text hangs on besides the request; it is
    None where writing again costs less than keeping.
    """

    name: str
    write: Callable[[Request], str]
    at_once: int = 1
    terms: Mapping[str, str] | None = None


def tiers() -> Mapping[str, Tier]:
    """The three tiers that are written, the best first."""
    shared = {name: table()[name] for name in ("temperature", "tokens")}
    named = {name: each for name, each in table().items() if isinstance(each, dict)}
    return {
        name: Tier(each["instruction"].strip(), {"top_p": each["top_p"], "top_k": each["top_k"], **shared})
        for name, each in named.items()
    }


@cache
def table() -> Mapping[str, Any]:
    """`tiers.toml` as it stands."""
    return tomllib.loads(files(__package__).joinpath("tiers.toml").read_text(encoding="utf-8"))
