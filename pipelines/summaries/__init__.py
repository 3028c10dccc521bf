"""Summaries in three tiers, as PromptOpinSumm's (Nath et al., 2024): who writes them.

`WRITERS[name](**settings)` is a context in which a Writer is open; `building.build` asks it for every summary of every product.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from pipelines.summaries import rules, server
from pipelines.summaries.tiers import Writer

WRITERS: Mapping[str, Callable[..., AbstractContextManager[Writer]]] = {
    "rules": rules.writing,
    "server": server.writing,
}
