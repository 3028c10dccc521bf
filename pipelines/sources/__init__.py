"""Sources: each ends in PAIRS, with a table of the rows that could not."""

from collections.abc import Callable, Mapping
from typing import Any

from pipelines.sources import hh_rlhf, records, synthetic

SOURCES: Mapping[str, Callable[..., Any]] = {
    "hh_rlhf": hh_rlhf.read,
    "records": records.read,
    "synthetic": synthetic.read,
}
