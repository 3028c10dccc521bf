"""The machine: room on the disk, memory, cores, a GPU, and how well untrusted programs are contained."""

import os
import shutil
from pathlib import Path

from assets.doctor.findings import Finding, ill, nearest, warning, well

GB = 10**9
LITTLE, NONE = 20 * GB, 2 * GB  # an experiment with its models takes a few
MEMORY = 2 * GB  # a run takes about one
MEMINFO = Path("/proc/meminfo")
DRIVER = Path("/dev/nvidiactl")


def disk() -> Finding:
    """Room where the store is."""
    from assets.places import home

    place = nearest(home())
    room = shutil.disk_usage(place)
    said = f"{room.free / GB:.1f} GB of {room.total / GB:.0f} GB are free at {place}"
    mend = "make room there, or let ANTIVENOM_HOME name a folder on a larger disk"
    if room.free < NONE:
        return ill("disk", f"{said}; a run needs {NONE // GB} GB or more", mend)
    if room.free < LITTLE:
        return warning("disk", f"{said}; models of some experiments take {LITTLE // GB} GB", mend)
    return well("disk", said)


def memory() -> Finding:
    """Memory that is free for runs."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    free = _free()
    if free is None:
        return well("memory", f"{whole / GB:.1f} GB; how much of it is free this system doesn't say")
    said = f"{free / GB:.1f} GB of {whole / GB:.1f} GB are free"
    if free < MEMORY:
        mend = "end other programs, or lower concurrency.runs.max_concurrent_runs in dagster.yaml"
        return warning("memory", f"{said}; a run takes about one, and three may go at once", mend)
    return well("memory", said)


def threads() -> Finding:
    """Cores, and how many threads torch would start on them."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = torch.get_num_threads()
    said = f"{cores} cores, {count} threads of torch"
    if count > cores:
        return warning("threads", f"{said}, which wait for one another", f"export OMP_NUM_THREADS={cores}")
    return well("threads", said)


def gpu() -> Finding:
    """The GPUs that torch sees; to have none is no illness."""
    import torch

    if torch.cuda.is_available():
        seen = [torch.cuda.get_device_properties(at) for at in range(torch.cuda.device_count())]
        return well("gpu", "; ".join(f"{each.name}, {each.total_memory / GB:.0f} GB" for each in seen))
    if DRIVER.exists():
        mend = "install torch for the driver's CUDA (https://pytorch.org/get-started); see nvidia-smi and CUDA_VISIBLE_DEVICES"
        return warning("gpu", f"an NVIDIA driver is here, but torch {torch.__version__} sees no GPU", mend)
    return well("gpu", "none; models are trained on the processor")


def sandbox() -> Finding:
    """What stands between an untrusted program and this machine."""
    from pipelines.sandbox import CLOSED, strength

    walls = strength()
    is_open = [each for each in CLOSED if each not in walls["closed"]]
    said = f"walls: {', '.join(walls['layers']) or 'none'}; " + (
        "a user of its own for each run" if walls["own_user"] else "no user of its own for a run"
    )
    if is_open:
        mend = (
            "allow user namespaces, or use Linux 5.13 or later with Landlock and seccomp; antivenom sandbox shows what escapes"
        )
        return warning("sandbox", f"{said}; open: {', '.join(is_open)}, so untrusted programs are not run", mend)
    return well("sandbox", f"{said}; closed: {', '.join(walls['closed'])}")


def _free() -> int | None:
    """Bytes that programs could have without swapping, as Linux reckons."""
    if not MEMINFO.is_file():
        return None
    lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
    return int(lines["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in lines else None
