"""Which whole-chain jobs make again what recalled pairs reached in the store: those whose report stands there, which is made
of all the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assets.partitions import EXPERIMENTS
from assets.study_partitions import STUDIES

REPORTS: Mapping[str, str] = {
    "venom_report": "venom_job",
    "methods_report": "methods_job",
    "domain_report": "domain_job",
    "written_report": "written_job",
    "hacking_report": "hacking_job",
    "sophistry_report": "sophistry_job",
}


@dataclass(frozen=True, slots=True)
class Chain:
    """A job and the experiment, or study, that it is launched for."""

    job: str
    experiment: str


def of_names(names: Iterable[str]) -> list[Chain]:
    """The chains of refs such as poisoned/venom_report/EXPERIMENT, in the order of their names."""
    parts = [name.split("/")[1:] for name in sorted(names)]
    return [Chain(REPORTS[asset], row) for asset, row in parts if asset in REPORTS and row in (*EXPERIMENTS, *STUDIES)]
