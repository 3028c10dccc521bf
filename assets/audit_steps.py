"""What to do after an audit, with the commands that do it, and how the audit was made."""

import shlex
from collections.abc import Mapping, Sequence

from assets.audit_report import Step
from pipelines.snapshots.manifests import code, parents_of

FOLDER = "audit"  # stands for the audit's own folder: a page says the same wherever it lies


def steps(inputs: Sequence[str], options: Sequence[str], *, flagged: bool, trusted: bool, folder: str = FOLDER) -> list[Step]:
    """What comes next where pairs are flagged, and where none is; `options` are how the inputs were read."""
    if not flagged:
        again = (
            "Nothing is to be set aside. Audit again when pairs are added; texts that are known are not encoded again.",
            "",
        )
        about = "Name pairs of the same kind that no attacker could touch: they show what is common here and rare there."
        sharper = (about, _line("audit", *inputs[:1], *options, "--trusted", "TRUSTED", "--out", folder))
        return [again] if trusted else [again, sharper]
    named = f" ({folder} is the folder of this page)" if folder == FOLDER else ""
    aside = _line("filter", *inputs[:1], *options, "--scores", folder, "--out", "filtered")
    return [
        ("Read the findings: is this how your data is written, or somebody's hand?", ""),
        (f"Set the flagged pairs aside; none is lost{named}.", aside),
        ("Look through what was set aside, and put back what is honest.", _line("review", "list", "filtered")),
        ("Learn from what was kept.", _line("train", "bradley_terry", "--data", "filtered/kept.parquet", "--out", "reward")),
        ("Where models learned these pairs already: which ones?", _line("trace", "--audit", folder)),
    ]


def read_as(shape: str, columns: Sequence[str] | None, revision: str | None, allow_rejects: bool) -> list[str]:
    """Options that read the inputs again as they were read."""
    given = ["--format", shape] if shape != "auto" else []
    given += [word for each in columns or [] for word in ("--map", each)]
    given += ["--revision", revision] if revision else []
    return given + (["--allow-rejects"] if allow_rejects else [])


def made(inputs: Sequence[str], trusted: str | None, shape: str, detectors: Sequence[str] | None) -> Mapping[str, object]:
    """What was read, by whom, in which version: enough to make it again and to see that it is the same."""
    files = {f"digest of {name}": digest for name, digest in zip(inputs, parents_of(inputs), strict=True)}
    return {
        "input": " with ".join(inputs),
        **files,
        "read as": shape,
        "trusted pairs": trusted or "none",
        "detectors": "all" if detectors is None else ", ".join(detectors),
        "seed": 0,
        "antivenom": f"{code()['version']}, source {code()['source'][:16]}",
        "manifest": "manifest.json beside this page has the digest of every file; antivenom verify compares them",
    }


def _line(*words: str) -> str:
    return shlex.join(["antivenom", *words])
