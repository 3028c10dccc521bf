"""What a run gives, how it may end, and what is refused before it begins."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.sandbox import CLOSED, LAYERS, End, Limits, run, run_all, strength
from pipelines.sandbox.running import CLOSES
from pipelines.schema import DataError


def test_a_program_reads_and_prints():
    ran = run("a, b = map(int, input().split())\nprint(a - b)", b"7 12\n")
    assert (ran.end, ran.stdout, ran.stderr, ran.exit) == (End.OK, b"-5\n", "", 0)


def test_it_is_a_program_of_its_own():
    """Main module, standard library, no arguments, no packages, no module of ours, no environment, an empty folder."""
    ran = run(
        "import sys, os, json, heapq, random, decimal\n"
        "print(__name__, sys.argv, dict(os.environ), os.listdir('.'), 'job' in globals(), sys.flags.no_site)\n"
        "import __main__; print(__main__.sys is sys)\n"
        "for name in ('numpy', 'pipelines', 'seccomp', 'kernel.x'):\n"
        "    try: __import__(name); print(name)\n"
        "    except ImportError: pass\n"
    )
    assert ran.stdout.decode().splitlines() == ["__main__ ['program.py'] {} [] False 1", "True"], ran.stderr


@pytest.mark.parametrize(
    ("program", "end"),
    [
        ("", End.OK),
        ("import sys; print(1); sys.exit()", End.OK),
        ("print(1); raise SystemExit(3)", End.CRASH),
        ("print(1); 1 / 0", End.CRASH),
        ("raise MemoryError", End.OUT_OF_MEMORY),
        ("try: bytearray(10 ** 10)\nexcept MemoryError: print('less will do')", End.OK),
        ("def f(:", End.CRASH),
        ("print(1)\0", End.CRASH),
        ("print('\udc80')", End.CRASH),
        ("(" * 50_000, End.CRASH),
        ("x = 1\n" * 170_000, End.OK),
        ("import threading\nt = threading.Thread(target=print, args=(1,)); t.start(); t.join()", End.OK),
        ("import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))", End.OK),
        ("open('mine', 'w').write('x'); print(open('mine').read())", End.OK),
    ],
)
def test_how_it_ends(program, end):
    ran = run(program, limits=Limits(cpu=20, wall=120))
    assert ran.end == end or (end is End.CRASH and ran.end is End.OUT_OF_MEMORY and "(((" in program), ran


def test_time_is_of_the_processor_and_of_the_clock():
    spun = run("while True: pass", limits=Limits(cpu=1, wall=120))
    assert (spun.end, spun.cpu) == (End.TIMEOUT, pytest.approx(1, abs=0.3))
    slept = run("import time; time.sleep(60)", limits=Limits(cpu=1, wall=0.7))
    assert slept.end is End.TIMEOUT
    assert slept.cpu < 0.5
    assert 0.7 <= slept.seconds < 20


def test_output_ends_at_its_limit():
    limits = Limits(output=1000)
    assert run("print('x' * 998)", limits=limits).end is End.OK
    assert run("print('x' * 999)", limits=limits).end is End.OUTPUT_LIMIT
    assert len(run("print('x' * 10 ** 6)", limits=limits).stdout) == 1000


def test_bytes_come_back_as_they_were_printed():
    assert run("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])", b"\xff\0\n").stdout == b"\n\0\xff"
    assert run("print(input())", "é\n".encode()).stdout == "é\n".encode()
    assert run("import sys; print(len(sys.stdin.read()))", b"x" * 3_000_000).stdout == b"3000000\n"


def test_sets_have_one_order():
    program = "print({str(n) for n in range(50)})"
    assert run(program).stdout == run(program).stdout


def test_runs_side_by_side_keep_their_order():
    runs = run_all([("print(int(input()) ** 2)", str(n).encode()) for n in (3, 5, 2, 7)], workers=3)
    assert [ran.stdout for ran in runs] == [b"9\n", b"25\n", b"4\n", b"49\n"]


def test_each_run_begins_with_an_empty_folder():
    program = "import os; print(os.listdir('.')); open('left', 'w').write('x')"
    assert [run(program).stdout for _ in range(2)] == [b"[]\n", b"[]\n"]


def test_a_run_with_an_open_wall_is_refused_unless_named(tmp_path):
    (tmp_path / "marker").write_text("untouched")
    program = f"open({str(tmp_path / 'marker')!r}, 'w').write('ran')"
    for layers in ((), ("landlock",), ("seccomp",)):
        if set(layers) > set(strength(layers)["layers"]):
            pytest.skip("this kernel lacks it")
        ran = run(program, layers=layers)
        assert (ran.end, ran.exit) == (End.REFUSED, 1)
    assert (tmp_path / "marker").read_text() == "untouched"
    assert run(program, layers=(), leave_open=("network", "processes")).end is End.REFUSED
    assert run(program, layers=(), leave_open=CLOSED).end is End.OK
    assert (tmp_path / "marker").read_text() == "ran"


def test_strength_says_what_each_layer_closes():
    assert strength(()) == {"layers": [], "closed": [], "own_user": False}
    for layer in strength()["layers"]:
        found = strength((layer,))
        assert (found["layers"], set(found["closed"])) == ([layer], set(CLOSES[layer]))


def test_unknown_names_and_limits_are_refused():
    with pytest.raises(DataError, match="namespaces, landlock, seccomp, got 'chroot'"):
        run("", layers=("chroot",))
    with pytest.raises(DataError, match="network, files, processes, got 'disk'"):
        run("", leave_open=("disk",))
    with pytest.raises(DataError, match="memory is a limit and must be above 0, got 0"):
        Limits(memory=0)


@pytest.mark.parametrize("delay", [0, 0.5], ids=["at once", "in full swing"])
@pytest.mark.parametrize("layers", [LAYERS, ("landlock", "seccomp")], ids=["all", "without namespaces"])
def test_nothing_outlives_a_parent_that_is_killed(layers, delay, tmp_path):
    code = f"from pipelines.sandbox import run\nrun('import time; time.sleep(60)', layers={layers!r})"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], env={**os.environ, "TMPDIR": str(tmp_path)}
    )

    def running() -> bool:
        return any(str(tmp_path) in _folder(each) for each in Path("/proc").glob("[0-9]*"))

    assert _within(20, running)
    time.sleep(delay)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _within(5, lambda: not running())


def _folder(process: Path) -> str:
    try:
        return os.readlink(process / "cwd")
    except OSError:
        return ""


def _within(seconds: float, is_so) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.05)
    return False
