"""Links between the pages of assets: to what each was made of, and from a table to the models that learned from it."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import dagster as dg

from pipelines.snapshots import Store

SHOWN = 50  # inputs of one thing
WHOLE = "all"  # stands for the partition of an asset that has none


def made_of(given: Mapping[str, str], store: Store) -> dict[str, dg.MarkdownMetadataValue]:
    """A line an input, by asset/partition -> snapshot, with a link to its page; nothing for what is made of nothing."""
    lines = [_line(name, store.manifest(snapshot)) for name, snapshot in list(given.items())[:SHOWN]]
    if not lines:
        return {}
    more = [f"\nand {len(given) - SHOWN} more"] if len(given) > SHOWN else []
    head = ["| asset | partition | rows | poisoned | snapshot |", "|---|---|---|---|---|"]
    return {"made of": dg.MetadataValue.md("\n".join([*head, *lines, *more]))}


def card(asset: str, partition: str, found: Mapping[str, Any]) -> dict[str, dg.MarkdownMetadataValue]:
    """What whoever is handed a model must know of it; `found` is its manifest."""
    poisoned = "**yes: for defence research, not for use**" if found["poisoned"] else "no"
    lines = [
        f"**{asset}** of `{partition}`, a {found['format']}",
        f"- learned from poisoned data: {poisoned}",
        f"- made of: {', '.join(_link(name) for name in list(found['inputs'])[:SHOWN]) or 'nothing that was published'}",
        f"- made by antivenom {found['code']['version']}, source `{found['code']['source'][:12]}`",
        f"- weights: `{found['content'][:12]}`, snapshot `{found['snapshot'][:12]}`",
        "- which pairs reached it: `antivenom trace PAIR_ID`; is it as it was published: `antivenom verify` with its place",
    ]
    return {"model card": dg.MetadataValue.md("\n".join(lines))}


def learners(asset: str, partition: str, given: Mapping[str, str], model: str) -> Iterator[dg.AssetObservation]:
    """For each input's own page: that this model was made of it, and of which of its snapshots."""
    told = f"{_link(f'{asset}/{partition}')}, snapshot `{model[:12]}`"
    for name, snapshot in given.items():
        upstream, _, own = name.rpartition("/")
        yield dg.AssetObservation(
            dg.AssetKey(upstream.split("/")),
            partition=None if own == WHOLE else own,
            metadata={f"learned by {asset} of {partition}": dg.MetadataValue.md(f"{told}, from `{snapshot[:12]}`")},
        )


def page(asset: str, partition: str) -> str:
    """Where the UI tells of one partition of an asset."""
    wanted = "" if partition == WHOLE else "?" + urlencode({"view": "partitions", "partition": partition})
    return f"/assets/{quote(asset)}{wanted}"


def _link(name: str) -> str:
    asset, _, partition = name.rpartition("/")
    return f"[{asset}]({page(asset, partition)})" + ("" if partition == WHOLE else f" of `{partition}`")


def _line(name: str, found: Mapping[str, Any]) -> str:
    asset, _, partition = name.rpartition("/")
    rows = sum(table["rows"] for table in found.get("tables", {}).values()) if found.get("tables") else ""
    poisoned = "yes" if found.get("poisoned") else "no"
    return f"| [{asset}]({page(asset, partition)}) | {partition} | {rows} | {poisoned} | `{found['snapshot'][:12]}` |"
