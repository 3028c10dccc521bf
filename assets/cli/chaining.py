"""How the chain of a pair is told: as facts for programs, and in lines for people."""

from dataclasses import asdict
from typing import Any

from assets.html import visible
from pipelines.snapshots.provenance import Chain, Origin, Transform, Written

SHORT = 12  # digits of a digest
ONE_LINE = str.maketrans("\n\t", "  ")


def facts(chain: Chain) -> dict[str, Any]:
    """As JSON has it; snapshots are named by their digest."""
    return {
        "pair_id": chain.pair_id,
        "origins": [asdict(each) for each in chain.origins],
        "written": [_link(each) for each in chain.written],
        "became": [_link(each) for each in chain.became],
        "transforms": [_step(each) for each in chain.transforms],
    }


def lines(chain: Chain) -> list[str]:
    """Where it came from, what attacks did, and a numbered line a snapshot; strange signs in names are made visible."""
    numbers = {each.node.snapshot: at for at, each in enumerate(chain.transforms, 1)}
    told = [chain.pair_id, *map(_from, chain.origins)]
    told += [f"  written by {_attack(each)} from {each.host_pair_id}" for each in chain.written]
    told += [f"  became {each.pair_id} by {_attack(each)}" for each in chain.became]
    told += [_line(each, numbers) for each in chain.transforms]
    return [visible(line).translate(ONE_LINE) for line in told]


def _from(origin: Origin) -> str:
    row = "" if origin.row is None else f" row {origin.row}"
    judged = f", judged by {origin.annotator}" if origin.annotator else ""
    at = f" at revision {origin.revision}" if origin.revision else ""
    return f"  from {origin.source or 'a source that is not told'}{at}{row}{judged}{_given(origin.given)}"


def _line(each: Transform, numbers: dict[str, int]) -> str:
    of = ", ".join(str(numbers[node.snapshot]) for node in each.of) or each.node.told.get("input")
    rows = ", ".join(place.file if place.row is None else f"{place.file} row {place.row}" for place in each.places)
    made = f"{each.made_by}{f' of {of}' if of else ''}{_given(each.given)}"
    return f"  {numbers[each.node.snapshot]}. {made:<24} {each.node.called}  {each.node.snapshot[:SHORT]}  {rows}"


def _attack(link: Written) -> str:
    target = f", {link.target}" if link.target else ""
    return f"{link.attack} ({link.builder}{target}), as the sealed key in {link.key.called} says,"


def _given(given: tuple[str, ...]) -> str:
    return f" ({', '.join(each[:SHORT] for each in given)})" if given else ""


def _link(link: Written) -> dict[str, Any]:
    names = ("pair_id", "host_pair_id", "attack", "builder", "target")
    return {**{name: getattr(link, name) for name in names}, "key": link.key.snapshot}


def _step(each: Transform) -> dict[str, Any]:
    told = each.node.told
    return {
        "snapshot": each.node.snapshot,
        "folder": str(each.node.folder),
        "names": list(each.node.names),
        "made_by": each.made_by,
        "recipe": told.get("recipe"),
        "settings": told.get("settings"),
        "code": told.get("code"),
        "poisoned": bool(told.get("poisoned")),
        "of": [node.snapshot for node in each.of],
        "given": list(each.given),
        "places": [asdict(place) for place in each.places],
    }
