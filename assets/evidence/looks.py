"""How evidence of each requirement is looked for: an answer a call, which claims no more than what is there."""

from collections import Counter
from collections.abc import Iterable, Sequence

import polars as pl

from assets.evidence.answers import Answer, counted, evidence, none, partly
from assets.evidence.seen import Seen, has
from pipelines.schema import DECISIONS, PAIRS
from pipelines.snapshots import MANIFEST
from pipelines.snapshots.tracing import Node

NOTHING = "nothing that antivenom published is here"
NO_CORPUS = "no corpus of pairs is here"
REPORT = ("report.html", "findings.json", MANIFEST)
LABELS = ("label_doubt", "neighbour_disagreement", "committee_disagreement", "contradictions", "learning_order")
TEXTS = ("near_duplicates", "template_clusters", "spectral_signatures", "activation_clustering", "repeated_contrast")
WATCHES = ("nightly_audit", "new_deliveries")


def fields(seen: Seen) -> Answer:
    """Corpora have the columns of pairs; which of these a purpose needs is for people to say."""
    plain = [node for node in seen.corpora() if _only(node, PAIRS.columns)]
    if not plain:
        return none(NO_CORPUS)
    said = f"{_corpora(plain)} with tables of {', '.join(PAIRS.columns)} and of nothing else, whatever else the sources had"
    lacks = "which of these the purpose needs is not told, and texts are not searched for what it does not"
    return partly(f"{said}; {lacks}", plain, MANIFEST)


def inventory(seen: Seen) -> Answer:
    """Manifests have origin and history, and signatures who answers for it; nobody asks for the rest."""
    if not (sources := seen.sources()):
        return none(NO_CORPUS)
    signed = sum(node.snapshot in seen.signed for node in sources)
    said = f"{_corpora(sources)} came in: manifests have digests or names of what they were made of, command and settings"
    poisoned = sum(bool(node.told.get("poisoned")) for node in sources)
    told = f"signatures say who answers for {signed:,} of them; {poisoned:,} of them labelled as poisoned"
    return partly(f"{said}; {told}; licence, way of collecting and limits of use are not asked for", sources)


def integrity(seen: Seen) -> Answer:
    """Every file was compared with its digest now; a signature says that the digests are the publisher's own."""
    if seen.broken:
        first = "; ".join(list(seen.broken.values())[:3])
        return none(f"{len(seen.broken):,} of {_folders(seen)} not as published: {first}")
    return _protected(seen, seen.whole, NOTHING)


def monitoring(seen: Seen) -> Answer:
    """Whoever reads compares; a schedule is switched on, or not."""
    if not seen.whole and not seen.broken:
        return none(NOTHING)
    changed = f"{counted(len(seen.broken), 'folder', 'folders')} changed" if seen.broken else "none changed"
    said = f"{_folders(seen)} compared with the digests in manifests now, and {changed}; whatever reads one compares it too"
    return partly(f"{said}; {_watches(seen)}", seen.whole, MANIFEST)


def labels(seen: Seen) -> Answer:
    """Preference pairs, and decisions of reviewers, are what labelling makes."""
    found = [node for node in seen.whole if has(node, PAIRS.columns) or has(node, DECISIONS.columns)]
    answer = _protected(seen, found, NO_CORPUS)
    decided = counted(sum(_decisions(node) for node in found), "decision", "decisions")
    return Answer(answer.status, f"{answer.said}; {decided} of reviewers among them", answer.files) if found else answer


def detection(seen: Seen) -> Answer:
    """Audits, and whether what models learned from went through one."""
    audits, models, without = seen.audits(), seen.models(), seen.unaudited()
    if not audits:
        return none("no audit is here")
    pairs, flagged = (sum(counts) for counts in zip(*map(_flagged, audits), strict=True))
    by = f"{counted(len(audits), 'audit', 'audits')} by {counted(len(seen.detectors()), 'detector', 'detectors')}"
    said = f"{by} flagged {flagged:,} of {counted(pairs, 'pair', 'pairs')}, and no audit finds all poison (docs/arena.md)"
    files = (*audits, *seen.parted())
    of = counted(len(models), "model", "models")
    if models and not without:
        return evidence(f"{said}; all of {of} learned from what an audit parted", files, *REPORT)
    lacks = f"{len(without):,} of {of} learned from what no audit parted" if models else "no model is here"
    return partly(f"{said}; {lacks}", files, *REPORT)


def consistency(seen: Seen) -> Answer:
    """Detectors of labels judge all pairs, for nothing says which labels a machine gave."""
    if not (asked := [name for name in seen.detectors() if name in LABELS]):
        return none("no audit that is here asked a detector of labels")
    said = f"{', '.join(asked)} held every label against the other pairs, at a rate of false discoveries"
    return partly(f"{said}; which labels a machine gave, and how sure it was, is not told", seen.audits(), *REPORT)


def clean_label(seen: Seen) -> Answer:
    """Filters by detectors that look at texts alone; how much they find is measured, and is not all."""
    asked, parted = [name for name in seen.detectors() if name in TEXTS], seen.parted()
    if not asked or not parted:
        return none("no corpus that is here was filtered by detectors that look at texts and not at labels")
    said = f"{_corpora(parted)} filtered by {', '.join(asked)}, which look at texts and not at labels"
    return partly(f"{said}; such poison is found in part (docs/arena.md), and no bound is proved", parted, MANIFEST)


def _protected(seen: Seen, found: Sequence[Node], nothing: str) -> Answer:
    """Digests alone show damage; that nobody wrote new ones, a signature shows."""
    if not found:
        return none(nothing)
    by = Counter(seen.signed[node.snapshot] for node in found if node.snapshot in seen.signed)
    said = f"{counted(len(found), 'folder', 'folders')} with the SHA-256 of every file, compared now"
    if by.total() < len(found):
        return partly(f"{said}; {by.total():,} signed by trusted keys, and digests alone can be written anew", found)
    return evidence(f"{said}, and all signed by trusted keys of {', '.join(sorted(by))}", found)


def _watches(seen: Seen) -> str:
    """What looks by itself; that a switch is on says not that a daemon runs."""
    if seen.switched_on is None:
        return "no instance of Dagster was asked what runs by itself"
    on = [name for name in WATCHES if name in seen.switched_on]
    return f"switched on: {', '.join(on)}" if on else "nothing that looks for changes is switched on"


def _corpora(nodes: Sequence[Node]) -> str:
    return counted(len(nodes), "corpus", "corpora")


def _folders(seen: Seen) -> str:
    return counted(len(seen.whole) + len(seen.broken), "folder", "folders")


def _only(node: Node, columns: Iterable[str]) -> bool:
    wanted = set(columns)
    return any(table["columns"].keys() == wanted for table in node.told["tables"].values())


def _decisions(node: Node) -> int:
    tables = node.told["tables"].values()
    return sum(table["rows"] for table in tables if table["columns"].keys() == DECISIONS.columns.keys())


def _flagged(node: Node) -> tuple[int, int]:
    """How many pairs an audit judged, and how many of them it flagged."""
    scores = [name for name, table in node.told["tables"].items() if "is_flagged" in table["columns"]]
    tables = [pl.read_parquet(node.folder / name, columns=["is_flagged"], glob=False) for name in scores]
    flags = pl.concat(tables)["is_flagged"]
    return len(flags), int(flags.sum())
