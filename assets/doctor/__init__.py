"""Checkups: each looks at one thing that Antivenom stands on, and says how it is and what to mend. None changes anything."""

from collections.abc import Callable, Mapping

from assets.doctor import installation, instance, machine, rows, store
from assets.doctor.findings import Finding, State, hushed, ill
from assets.steps import Watch

CHECKUPS: Mapping[str, Callable[[], Finding]] = {
    "python": installation.python,
    "packages": installation.packages,
    "rooms": installation.rooms,
    "encoder": installation.encoder,
    "chromium": installation.chromium,
    "code_location": rows.code_location,
    "experiments": rows.experiments,
    "dagster_home": instance.dagster_home,
    "gpu_pool": instance.gpu_pool,
    "killed_runs": instance.killed_runs,
    "freshness": instance.freshness,
    "storage": instance.storage,
    "store": store.store,
    "renames": store.renamed,
    "snapshots": store.snapshots,
    "names": store.names,
    "disk": machine.disk,
    "memory": machine.memory,
    "threads": machine.threads,
    "gpu": machine.gpu,
    "sandbox": machine.sandbox,
}


def examined(watch: Watch) -> list[Finding]:
    """What every checkup found, in the order of the table."""
    found = []
    for at, name in enumerate(CHECKUPS):
        watch("doctor", at, len(CHECKUPS))
        found.append(examine(name))
    return found


def examine(name: str) -> Finding:
    """What one checkup found; one that fails itself is a finding too, so that the others are heard."""
    try:
        return CHECKUPS[name]()
    except Exception as error:
        said = hushed(f"could not be looked at: {type(error).__name__}: {error}")
        return ill(name, said, "if what it names is not yours to mend, this is a fault of antivenom doctor: report it")


__all__ = ["CHECKUPS", "Finding", "State", "examine", "examined"]
