"""What the warm process does for a test, beside the command line."""

import os
import sys
from pathlib import Path


def antivenom(*words: str) -> None:
    """The command line, as people call it."""
    from assets import cli

    sys.argv = ["antivenom", *words]
    cli.main()


def stored(root: str, size: str) -> None:
    """A snapshot of so many bytes, named in a store."""
    from pipelines.snapshots import Store

    store = Store(Path(root))
    made = store.publish("letters", lambda folder: (folder / "a.txt").write_text("x" * int(size)))
    store.point("clean/letters", made)


def materialized(home: str, rows: str) -> None:
    """A table of so many rows, by Dagster and its IO manager."""
    import dagster as dg
    import numpy as np
    import polars as pl

    from assets.resources import Snapshots

    os.environ["ANTIVENOM_HOME"] = home

    @dg.asset
    def noise() -> pl.DataFrame:
        return pl.DataFrame({"x": np.random.default_rng(int(rows)).normal(size=int(rows))})

    dg.materialize([noise], resources={"io_manager": Snapshots()})


def trained(spec: str) -> None:
    """A training run as `accelerate launch` starts it."""
    from rlhf_train import run

    sys.argv = ["rlhf_train.run", spec]
    run.main()


def remembered(folder: str) -> None:
    """Embeddings of a few texts, kept."""
    import numpy as np

    from checks.memory import Memory

    Memory(Path(folder), lambda texts: np.ones((len(texts), 40)), name="ones")(["a", "b", "c"])


def scored(folder: str) -> None:
    """Numbers of a few rows, kept by content."""
    import numpy as np

    from rlhf_train.by_content import KEY, cached

    keys = [bytes([at]) * KEY for at in range(9)]
    cached(keys, lambda places: iter([[(at, np.ones(3)) for at in places]]), Path(folder))
