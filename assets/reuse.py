"""What need not be made again: partitions that were made of the same settings, by this version, of what is still the same.

Contents are compared and not times: what was made anew and came out as before makes nothing after it stale.
"""

import dagster as dg

from assets.places import home
from assets.provenance import WHOLE
from assets.resources import Snapshots
from pipelines.schema import DataError
from pipelines.snapshots import recalled
from pipelines.snapshots.manifests import code
from pipelines.snapshots.tracing import Node


def stale(job: dg.JobDefinition, partition: str, settings: str) -> list[dg.AssetKey]:
    """Assets of a job that must be made for this partition: those that are not current, and what comes after one of them."""
    graph, snapshots = job.asset_layer.asset_graph, Snapshots()
    found: set[dg.AssetKey] = set()
    selected = job.asset_layer.selected_asset_keys
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        if key not in selected or not node.is_materializable:
            continue
        own = partition if node.is_partitioned else WHOLE
        if node.parent_keys & found or not is_current(snapshots, key.to_user_string(), own, settings):
            found |= node.execution_set_asset_keys & selected
    return sorted(found)


def is_current(snapshots: Snapshots, asset: str, partition: str, settings: str) -> bool:
    """Whether what is there was made of these settings, of contents that its inputs still have, and holds no recalled pair."""
    told = snapshots.told(asset, partition)
    if told is None or told.get("settings") != settings or told["code"]["version"] != code()["version"]:
        return False
    if Node(snapshots.place(asset, partition), told).holds(recalled.numbers(recalled.read(home()))):
        return False
    return all(_is_as_it_was(snapshots, name, was) for name, was in told["inputs"].items())


def _is_as_it_was(snapshots: Snapshots, name: str, snapshot: str) -> bool:
    """Whether an input has the content yet that a snapshot of it had; of one that was collected nobody knows."""
    now = snapshots.told(*name.split("/"))
    try:
        return now is not None and bool(now["content"] == snapshots.store.manifest(snapshot)["content"])
    except DataError:
        return False
