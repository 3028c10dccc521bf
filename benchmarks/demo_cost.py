"""Wall time and peak memory of the demo, its worker processes included (targets: 10 minutes, 4 GiB)."""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import _report

GIB = 2**30


def resident(parent: int) -> int:
    """Bytes that a process and all its descendants hold, shared pages counted once (proportional set size)."""
    total, waiting = 0, [parent]
    while waiting:
        place = Path("/proc") / str(waiting.pop())
        try:
            total += next(
                int(line.split()[1]) for line in (place / "smaps_rollup").read_text().splitlines() if line.startswith("Pss:")
            )
            for task in (place / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (OSError, StopIteration):
            continue
    return total * 1024


def main() -> None:
    """One run, looked at twice a second."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        process = subprocess.Popen(
            [Path(sys.executable).parent / "antivenom", "demo", "--json", "--out", f"{folder}/demo"],
            stdout=subprocess.DEVNULL,
        )
        peak, done = [0], threading.Event()

        def watch() -> None:
            while not done.wait(0.5):
                peak[0] = max(peak[0], resident(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        done.set()
        watcher.join()
        seconds = time.perf_counter() - start
    if code:
        sys.exit(f"the demo ended with exit code {code}: nothing to measure")
    _report.save("demo_cost", [{"minutes": seconds / 60, "peak GiB": peak[0] / GIB}])


if __name__ == "__main__":
    main()
