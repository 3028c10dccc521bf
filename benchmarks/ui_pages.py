"""How long a page of the UI takes to tell of an asset, from the click to its metadata, in a real browser; and its query alone.

    python benchmarks/ui_pages.py [--copies 10] [--turns 3]

An instance of its own holds a tiny experiment that was really run, each of its materializations `copies` times. Assets of other
chains, which would take hours, have as their last one the heaviest that was found. Everything is on this machine: the
webserver, the code location and Chromium share its cores, with whatever else runs there, of which `load` tells (processes that
want a core, on average). Each page is opened anew, so that the UI's own start is part of its time: `empty` is that of a page
that tells of nothing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import _report

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the tests' ways of starting a webserver and a browser

from tests.conftest import TINY  # noqa: E402
from tests.ports import free_port  # noqa: E402
from tests.ui.driving import CHROMIUM, FLAGS  # noqa: E402
from tests.ui.served import Dagster, stop  # noqa: E402

QUERIES = ("AssetPartitionDetailQuery", "AssetOverviewMetadataEventsQuery")  # what pages ask for to tell of one materialization
EMPTY = "(none)"
JOBS = (("venom_job", "tiny"), ("dpo_job", "tiny-poisoned"))


def filled(copies: int) -> tuple[dict[str, str], int]:
    """Fills the instance of DAGSTER_HOME: a partition of each asset, which may be none, and the number of materializations."""
    import dagster as dg

    from assets.definitions import defs

    found: dict[str, str] = {}
    with dg.DagsterInstance.get() as instance:
        for job, partition in JOBS:
            assert defs.resolve_job_def(job).execute_in_process(partition_key=partition, instance=instance).success
        specs = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
        made = [
            record.asset_materialization
            for key in specs
            for record in instance.fetch_materializations(key, limit=100).records
            if record.asset_materialization
        ]
        heaviest = max(made, key=lambda event: sum(len(str(value.value)) for value in event.metadata.values()))
        there = {event.asset_key for event in made}
        count = len(made) * (1 + copies)
        for event in made * copies:
            instance.report_runless_asset_event(event)
        for key, spec in specs.items():
            keys = spec.partitions_def.get_partition_keys() if spec.partitions_def else [None]
            if key not in there:
                count += len(keys[:copies])
                for partition in keys[:copies]:
                    instance.report_runless_asset_event(
                        dg.AssetMaterialization(key, partition=partition, metadata=heaviest.metadata)
                    )
            own = [event.partition for event in made if event.asset_key == key] or keys
            found[key.to_user_string()] = own[0] or ""
    return found, count


@contextmanager
def served(folder: Path) -> Iterator[Dagster]:
    """The webserver alone, in a process group of its own."""
    port = free_port()
    command = [sys.executable, "-m", "dagster_webserver", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    dagster = Dagster(f"http://127.0.0.1:{port}", folder / "log")
    try:
        dagster.wait("the code location is loaded", dagster.is_loaded)
        yield dagster
    finally:
        stop(server)


def looked_at(page: Any, asked: list[Any], url: str, asset: str, partition: str) -> tuple[float, float]:
    """Seconds until the metadata of an asset are in sight, and of the slowest query that told of them."""
    asked.clear()
    begun = time.perf_counter()
    page.goto(f"{url}/assets/{asset}" + (f"?view=partitions&partition={partition}" if partition else "?view=overview"))
    page.get_by_text("snapshot", exact=True).first.wait_for()
    seen = time.perf_counter() - begun
    page.wait_for_load_state("networkidle")
    told = [each for each in asked if (each.post_data_json or {}).get("operationName") in QUERIES]
    return seen, max((each.timing["responseEnd"] / 1000 for each in told), default=0.0)


def started(page: Any, url: str) -> float:
    """Seconds until the UI has started and shows what it can tell of."""
    begun = time.perf_counter()
    page.goto(f"{url}/settings")
    page.get_by_text("Catalog", exact=True).first.wait_for()
    seen = time.perf_counter() - begun
    page.wait_for_load_state("networkidle")
    return seen


def pages(url: str, assets: dict[str, str], folder: Path, turns: int) -> list[dict[str, Any]]:
    """A row an asset, the slowest first: medians of turns, after one that fills the browser's cache; first that of none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            str(folder / "profile"), executable_path=CHROMIUM, args=FLAGS, viewport={"width": 1500, "height": 1000}
        )
        tab, asked = browser.pages[0], []
        tab.on("requestfinished", lambda request: asked.append(request) if "/graphql" in request.url else None)
        looked_at(tab, asked, url, *next(iter(assets.items())))
        rows = [{"asset": EMPTY, "page": median(started(tab, url) for _ in range(turns)), "query": 0.0}]
        for asset, partition in assets.items():
            times = [looked_at(tab, asked, url, asset, partition) for _ in range(turns)]
            seen, query = (median(column) for column in zip(*times, strict=True))
            rows.append({"asset": asset, "page": seen, "query": query})
        browser.close()
    return [rows[0], *sorted(rows[1:], key=lambda row: -row["page"])]


def main() -> None:
    """Two tables: all pages together, and each."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--copies", type=int, default=10)
    ask.add_argument("--turns", type=int, default=3)
    given = ask.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "home").mkdir()
        shutil.copy(ROOT / "dagster.template.yaml", folder / "home" / "dagster.yaml")
        (folder / "rows.toml").write_text(TINY.format(name="tiny", source="synthetic"))
        os.environ |= {
            "DAGSTER_HOME": str(folder / "home"),
            "ANTIVENOM_HOME": str(folder / "tables"),
            "ANTIVENOM_EXPERIMENTS": str(folder / "rows.toml"),
        }
        assets, count = filled(given.copies)
        with served(folder) as dagster:
            rows = pages(dagster.url, assets, folder, given.turns)
    columns = {name: [row[name] for row in rows[1:]] for name in ("page", "query")}
    told = {f"{name} {what.__name__}": what(values) for name, values in columns.items() for what in (median, max)}
    about = {
        "pages": len(rows) - 1,
        "materializations": count,
        "turns": given.turns,
        "load": os.getloadavg()[2],
        "empty": rows[0]["page"],
    }
    _report.save("ui_pages", [{**about, **told}])
    _report.save("ui_pages_by_asset", rows)


if __name__ == "__main__":
    main()
