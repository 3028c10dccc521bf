"""Where an audit spends its time once embeddings are kept, as when a corpus grew by a few rows: processor seconds of each part.

    python benchmarks/audit_grown.py [3000 12000]

Embeddings are drawn at random, of MiniLM's width, for what is done with them takes as long whatever they say. Seconds are the
processor's, which others on the machine do not stretch.
"""

import sys
import time

import _report
import numpy as np

from checks.detectors import DETECTORS
from checks.evidence import Evidence
from pipelines.sources import synthetic

SIZES = (3000, 12_000)
WIDTH = 384
#: parts of the evidence, each after those that it is made of
PARTS = ("words", "embeddings", "nearness", "near_gaps", "margins", "resemblance", "margin_area", "influence", "inversions")
QUADRATIC = ("nearness", "near_gaps")  # every pair is compared with every other


def measured(size: int) -> dict[str, object]:
    """A row a size: seconds of each part, and the share of those that grow with the square of the pairs."""
    evidence = Evidence(synthetic.read(n=size), encoder=_drawn)
    seconds = {name: _seconds(lambda name=name: getattr(evidence, name)) for name in PARTS}
    seconds["the rest"] = _seconds(lambda: [each.score(evidence) for each in DETECTORS.values()])
    total = sum(seconds.values())
    return {"pairs": size, "all": total, **seconds, "quadratic": sum(seconds[name] for name in QUADRATIC) / total}


def _drawn(texts: list[str]) -> np.ndarray:
    vectors = np.random.default_rng(len(texts)).standard_normal((len(texts), WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _seconds(call) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """A row a size."""
    _report.save("audit_grown", [measured(int(size)) for size in sys.argv[1:] or SIZES])


if __name__ == "__main__":
    main()
