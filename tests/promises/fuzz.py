"""Coverage-guided fuzzing by atheris of every reader: python -m tests.promises.fuzz [--seconds 60] [--runs N] [target ...]

Each target runs in a fork, from the documents that it takes; a line of JSON a target: executions, and what was found.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import traceback
from pathlib import Path

DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
PULSE = re.compile(r"#(\d+)\t")


def fuzzed(name: str, seconds: int, runs: int) -> dict[str, object]:
    """How many documents a target was given, and what went wrong in which; a process of its own, which atheris ends."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        child = os.fork()
        if not child:
            log = os.open(place / "log", os.O_WRONLY | os.O_CREAT)
            os.dup2(log, 1), os.dup2(log, 2)
            limits = [f"-max_total_time={seconds}", f"-runs={runs}", "-timeout=60", "-rss_limit_mb=4096"]
            try:
                _fuzz(name, place, [*limits, "-print_final_stats=1", f"-artifact_prefix={folder}/found-"])
            except BaseException as stop:  # never past the folder, which is not ours
                traceback.print_exc()
                os._exit(bool(getattr(stop, "code", 1)))
        _, status = os.waitpid(child, 0)
        said = (place / "log").read_text(errors="replace")
        documents = [repr(path.read_bytes()[:400]) for path in place.glob("found-*")] if status else []  # else they were slow
    counts = [int(each) for each in DONE.findall(said) or PULSE.findall(said)]
    found = "\n".join(said.splitlines()[-40:]) if status else ""
    return {"target": name, "executions": max(counts, default=0), "found": found, "documents": documents}


def _fuzz(name: str, place: Path, options: list[str]) -> None:
    import atheris

    from tests.promises.targets import TARGETS, tried

    for part in ("good", "work/step-00000001"):
        (place / part).mkdir(parents=True)
    for at, good in enumerate(TARGETS[name].seeds()):
        (place / "good" / str(at)).write_bytes(good)
    atheris.Setup(
        [sys.argv[0], *options, str(place / "good")], lambda data: tried(TARGETS[name], data, place / "work") and None
    )
    atheris.Fuzz()


def main() -> None:
    """All targets, or those named; 3 where anything was found."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("targets", nargs="*")
    asked.add_argument("--seconds", type=int, default=60)
    asked.add_argument("--runs", type=int, default=-1)
    said = asked.parse_args()

    import atheris

    with atheris.instrument_imports(include=["pipelines", "assets", "rlhf_train"]):
        from tests.promises.targets import TARGETS

    rows = []
    for name in said.targets or TARGETS:
        rows.append(fuzzed(name, said.seconds, said.runs))
        print(json.dumps(rows[-1]), flush=True)
    sys.exit(3 if any(row["found"] for row in rows) else 0)


if __name__ == "__main__":
    main()
