"""Seconds until the definitions are loaded in a fresh process (target: under 3), beside those of bare dagster and torch."""

import subprocess
import sys

import _report

MODULES = {
    "assets.definitions": "assets.definitions",
    "bare dagster": "dagster",
    "bare polars": "polars",
    "bare python": "sys",
}


def main() -> None:
    """Five processes each, in turns."""
    calls = {
        name: lambda module=module: subprocess.run([sys.executable, "-c", f"import {module}"], check=True, capture_output=True)
        for name, module in MODULES.items()
    }
    seconds = _report.alternate(calls)
    _report.save(
        "load_time",
        [{"what": name, "median seconds": _report.median(taken), "worst": max(taken)} for name, taken in seconds.items()],
    )


if __name__ == "__main__":
    main()
