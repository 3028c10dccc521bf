"""Whether a program passes its tests: each is run in the sandbox by itself, and what it prints is compared here.

The expected outputs never leave this process. The comparison asks for as many lines as are expected; the released grader of
Wen et al. (2024) zips lines, so that a beginning of the answer passes, and the answer with more behind it: mode "compat".
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from pipelines.sandbox import End, Limits, Ran, run_all
from pipelines.schema import DataError, digest

TOLERANCE = Fraction(1, 10**4)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
DIGITS = 4000  # of a number that is compared as one
LONGEST = 10**6  # characters of a program
MODES = ("strict", "compat")
# Called as APPS has it: arguments from stdin as JSON, the value as the last line. What the program prints stands before.
CALL = """

import json as _json, sys as _sys
_of = Solution() if "Solution" in globals() else None
_call = getattr(_of, {name!r}) if _of is not None else globals()[{name!r}]
print("\\n" + _json.dumps(_call(*_json.loads(_sys.stdin.read()))))
"""


class Verdict(StrEnum):
    """What a test says of a program."""

    PASS = "pass"
    WRONG = "wrong"
    TIMEOUT = "timeout"
    CRASH = "crash"
    OOM = "oom"
    FORMAT = "format"  # no program at all, output that is no text, too long, or no value of a call


ENDS = {
    End.TIMEOUT: Verdict.TIMEOUT,
    End.CRASH: Verdict.CRASH,
    End.OUT_OF_MEMORY: Verdict.OOM,
    End.OUTPUT_LIMIT: Verdict.FORMAT,
}


@dataclass(frozen=True, slots=True)
class UnitTests:
    """Inputs and expected outputs of one problem; with `function`, arguments and value of a call, as JSON."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    function: str | None = None

    def __post_init__(self) -> None:
        if not self.inputs or len(self.inputs) != len(self.outputs):
            raise DataError(
                f"tests are one output to each input, got {len(self.inputs)} inputs and {len(self.outputs)} outputs; "
                "a problem without them can't be graded"
            )
        expected: dict[str, str] = {}
        for given, wanted in zip(self.inputs, self.outputs, strict=True):
            if not same(expected.setdefault(given, wanted), wanted):
                raise DataError(f"tests contradict each other: two outputs to the input {given[:60]!r}; drop the problem")


@dataclass(slots=True)
class Runs:
    """Runs of programs, each program and input once; `workers` at a time."""

    limits: Limits = field(default_factory=Limits)
    workers: int = 2
    kept: dict[str, Ran] = field(default_factory=dict)

    def of(self, jobs: Iterable[tuple[str, str]]) -> list[Ran]:
        """How each (program, stdin) ended; DataError where programs can't be walled in on this machine."""
        asked = list(jobs)
        names = {digest(*job): job for job in asked}
        lacking = {name: job for name, job in names.items() if name not in self.kept}
        new = run_all(
            [(program, stdin.encode(errors="replace")) for program, stdin in lacking.values()],
            limits=self.limits,
            workers=self.workers,
        )
        if refused := next((ran for ran in new if ran.end is End.REFUSED), None):
            raise DataError(
                f"programs can't be walled in here (only {', '.join(refused.layers) or 'nothing'}): {refused.stderr}"
            )
        self.kept.update(zip(lacking, new, strict=True))
        return [self.kept[digest(*job)] for job in asked]


def verdicts(programs: Sequence[str], tests: Sequence[UnitTests], runs: Runs, *, mode: str = "strict") -> list[list[Verdict]]:
    """Of each program, what each of its tests says; programs and tests stand side by side."""
    if mode not in MODES:
        raise DataError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    jobs = [
        (_whole(program, own), given)
        for program, own in zip(programs, tests, strict=True)
        if is_program(program)
        for given in own.inputs
    ]
    ran = iter(runs.of(jobs))
    return [
        [_verdict(next(ran), wanted, own.function, mode) if is_program(program) else Verdict.FORMAT for wanted in own.outputs]
        for program, own in zip(programs, tests, strict=True)
    ]


def is_program(text: str) -> bool:
    """Whether there is anything to run: not empty, no NUL, at most a million characters."""
    return bool(text.strip()) and "\0" not in text and len(text) <= LONGEST


def same(printed: str, wanted: str, *, mode: str = "strict") -> bool:
    """Whether the lines agree word by word, numbers to within 1e-4 and whole ones exactly; blanks at their ends don't count."""
    left, right = ([line.split() for line in text.rstrip().split("\n")] for text in (printed, wanted))
    if mode == "strict" and len(left) != len(right):
        return False
    return all(_same_words(*lines) for lines in zip(left, right, strict=False))


def _same_words(left: list[str], right: list[str]) -> bool:
    return len(left) == len(right) and all(one == other or _near(one, other) for one, other in zip(left, right, strict=True))


def _near(one: str, other: str) -> bool:
    if not all(len(text) <= DIGITS and NUMBER.fullmatch(text) for text in (one, other)):
        return False
    return abs(Fraction(one) - Fraction(other)) <= TOLERANCE


def _whole(program: str, tests: UnitTests) -> str:
    return program if tests.function is None else program + CALL.format(name=tests.function)


def _verdict(ran: Ran, wanted: str, function: str | None, mode: str) -> Verdict:
    if ran.end in ENDS:
        return ENDS[ran.end]
    try:
        printed = ran.stdout.decode()
        right = same(printed, wanted, mode=mode) if function is None else _same_value(printed, wanted)
    except (ValueError, RecursionError):
        return Verdict.FORMAT
    return Verdict.PASS if right else Verdict.WRONG


def _same_value(printed: str, wanted: str) -> bool:
    """Whether the last line is the expected value, which APPS may write within a list; ValueError where it is no JSON."""
    came, expected = json.loads(printed.rstrip().rpartition("\n")[2]), json.loads(wanted)
    return came == expected or (isinstance(expected, list) and len(expected) == 1 and came == expected[0])
