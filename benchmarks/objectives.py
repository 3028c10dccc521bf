"""Every objective on clean, poisoned and filtered pairs: gold reward, attack success, KL, diversity and seconds, in one table.

    python benchmarks/objectives.py [--seeds 0 1 2] [--pairs 600] [--processes 2] [--kept .objectives]

Runs are kept in a folder, so that a rerun trains what changed. Rows, numbers and models are those of the experiment
methods_3pct; what poison does is the difference to the clean twin of the same seed at the same prompt.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import _report

from assets import pictures
from assets.experiments import EXPERIMENTS
from assets.methods import compare, page, study


def main() -> None:
    """Two tables: means, and what poison did."""
    row = EXPERIMENTS["methods_3pct"]
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, nargs="+", default=list(row.seeds))
    words.add_argument("--pairs", type=int, default=row.pairs)
    words.add_argument("--processes", type=int, default=2)
    words.add_argument("--kept", type=Path, default=Path(".objectives"))
    words.add_argument("--objectives", nargs="+", default=list(row.objectives))
    said = words.parse_args()
    row = dataclasses.replace(row, seeds=tuple(said.seeds), pairs=said.pairs, objectives=tuple(said.objectives))
    begun = time.perf_counter()

    def watch(what: str, done: int, of: int) -> None:
        print(f"{what} {done}/{of}, {time.perf_counter() - begun:.0f} s", flush=True)

    answers = study.run(row, said.kept, watch, processes=said.processes)
    means = page.ordered(compare.means(answers))
    _report.save("objectives", means.to_dicts())
    _report.save("objectives_harm", compare.harm(answers).to_dicts())
    _report.draw("objectives", pictures.methods(means))
    (said.kept / "report.html").write_text(page.page(row, answers), encoding="utf-8")
    print(f"the whole took {time.perf_counter() - begun:.0f} s; the page is {said.kept / 'report.html'}")


if __name__ == "__main__":
    main()
