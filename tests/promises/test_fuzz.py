"""Whatever stands in a file that others wrote: rows, rejects, or one clear line, and never anything else."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.promises.apart import TRIES
from tests.promises.targets import TARGETS, Target, tried

EXAMPLES = 20 * TRIES  # of each target
TOKENS = [
    *(
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\n",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        b"null",
        b"true",
    ),
    *(b"-1", b"NaN", b"1e999", b"9" * 5000, b"../", b"/", b"=", b"'", b"\x1b[31m", b"<script>"),
    *(b"[" * 990, b"[" * 3000, b'{"a":' * 990),
]
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4) | st.sampled_from(["\ud800", "../x", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@st.composite
def edited(draw, good: bytes) -> bytes:
    """A good document with a few places overwritten, taken out or filled with what parsers trip over."""
    for _ in range(draw(st.integers(1, 3))):
        at, gone = draw(st.integers(0, len(good))), draw(st.sampled_from([0, 1, 2, 8, 64, 10**6]))
        good = good[:at] + draw(st.sampled_from(TOKENS) | st.binary(max_size=4)) + good[at + gone :]
    return good


@st.composite
def changed(draw, good: bytes) -> bytes:
    """A good document of JSON, or of JSON lines, with another value somewhere in it."""
    parts = [json.loads(line) for line in good.splitlines()] if good.count(b"\n{") else [json.loads(good)]
    at = draw(st.integers(0, len(parts) - 1))
    parts[at] = draw(elsewhere(parts[at]))
    return "\n".join(map(json.dumps, parts)).encode("utf-8", "surrogatepass")


@st.composite
def elsewhere(draw, value: object) -> object:
    """A value of which a part, however deep, is another one."""
    if not value or not isinstance(value, dict | list) or draw(st.integers(0, 4)) == 0:
        return draw(anything)
    name = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
    inner = draw(elsewhere(value[name]))
    return {**value, name: inner} if isinstance(value, dict) else [*value[:name], inner, *value[name + 1 :]]


def is_json(good: bytes) -> bool:
    try:
        return bool([json.loads(line) for line in good.splitlines()] if good.count(b"\n{") else json.loads(good))
    except ValueError:
        return False


def documents(target: Target) -> st.SearchStrategy[bytes]:
    """What may be made of the documents that a target takes."""
    good = target.seeds()
    return st.one_of(*map(edited, good), *map(changed, filter(is_json, good)), st.binary(max_size=60))


@pytest.mark.parametrize("name", TARGETS)
def test_a_document_as_it_should_be_is_taken(name, tmp_path):
    (tmp_path / "step-00000001").mkdir()
    for good in TARGETS[name].seeds():
        assert tried(TARGETS[name], good, tmp_path) == ""


@pytest.mark.parametrize("name", TARGETS)
def test_a_document_that_somebody_spoiled_is_read_or_refused_in_a_line(name, record_property):
    target, seen = TARGETS[name], []

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(documents(target))
    def refused_at_most(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "step-00000001").mkdir()
            tried(target, data, Path(folder))
        seen.append(len(data))

    refused_at_most()
    record_property("tries", len(seen))


DEEP = [b"[" * 900 + b"]" * 900, b"[" * 5000, b'{"a":' * 5000, b"a = " + b"[" * 5000]
BROKE = {  # by reader, what once ended in a traceback
    "a checkpoint's state": [
        b'{"step": 1, "digests": {}}',
        b'{"step": 1, "digests": {}, "identity": null}',
        b'{"digests": null}',
    ],
    "--set of an attack": [b"a\tb=3"],
    "--set of training": [b"\xff=3", b"\xffsteps=3"],
    "a sealed table": [b"PAR1" + bytes(40) + b"PAR1"],
    "recalled.json": [b'{"pairs": {"x": ' + b"[" * 5000],
}


@pytest.mark.parametrize("name", TARGETS)
def test_what_once_broke_a_reader_is_refused(name, tmp_path):
    (tmp_path / "step-00000001").mkdir()
    for data in [*DEEP, *BROKE.get(name, ())]:
        tried(TARGETS[name], data, tmp_path)
