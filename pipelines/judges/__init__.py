"""Judges that are no people: each gives a verdict on every output, or says why it has none.

`perfect` and `coin` are controls; `reader` and `programmer` are simulated, with parameters that are ours.
None of them is evidence of people.
"""

from collections.abc import Callable, Mapping

import polars as pl

from pipelines.judges import controls, programmer, reader, server

JUDGES: Mapping[str, Callable[..., pl.DataFrame]] = {
    "coin": controls.coin,
    "perfect": controls.perfect,
    "programmer": programmer.judge,
    "reader": reader.judge,
    "server": server.judge,
}
