"""An encoder that remembers: what it asks for, what it keeps, and what it does with files that others broke."""

import io
import pickle
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from checks import memory
from checks.encoding import encode
from checks.memory import Memory
from pipelines.schema import DataError

WIDTH = 3


class Watched:
    """An encoder that notes what it is asked for; its numbers are none that half precision holds."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.append(list(texts))
        return np.array([[len(text) / 3, 1 / 7, hash_free(text)] for text in texts], dtype=np.float32)


def hash_free(text: str) -> float:
    return sum(place * ord(letter) for place, letter in enumerate(text, 1)) % 997 / 997


@pytest.fixture
def encoder() -> Watched:
    return Watched()


def expected(texts: Sequence[str]) -> list[list[float]]:
    return Watched()(texts).astype(np.float16).astype(np.float32).tolist()


def test_only_texts_never_seen_are_encoded_and_each_once(tmp_path, encoder):
    remembered = Memory(tmp_path, encoder, name="watched")
    for texts in (["b", "a", "b"], ["a", "c", "", "c"], ["b", "a"]):
        rows = remembered(texts)
        assert rows.tolist() == expected(texts)
        assert rows.dtype == np.float32
    assert encoder.asked == [["b", "a"], ["c", ""]]


def test_another_on_the_same_folder_asks_for_nothing(tmp_path, encoder):
    texts = ["b", "Ünal\ud800", "b", "猫 " * 900]
    first = Memory(tmp_path, encoder, name="watched")(texts)
    again = Memory(tmp_path, None, name="watched")(texts[::-1])
    assert again.tolist() == first.tolist()[::-1]
    assert Memory(tmp_path, encoder, name="other")(["b"]).tolist() == expected(["b"])
    assert encoder.asked[1:] == [["b"]]  # another encoder's rows are not ours


def test_what_others_write_meanwhile_is_read(tmp_path, encoder):
    one, other = Memory(tmp_path, encoder, name="watched"), Memory(tmp_path, None, name="watched")
    assert other([]).shape == (0, 0)
    one(["a"])
    one(["b", "a"])
    assert other(["b", "a"]).tolist() == expected(["b", "a"])


def test_nothing_is_asked_for_nothing(tmp_path):
    assert Memory(tmp_path, None, name="watched")([]).shape == (0, 0)
    assert list(tmp_path.iterdir()) == []


def saved(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def one_row(text: str) -> np.ndarray:
    digest = memory.hashlib.blake2b(text.encode(), digest_size=memory.WIDTH).digest()
    return np.frombuffer(digest, dtype=np.uint8).reshape(1, -1)


class Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.mark,)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def compressed_and_broken(good: bytes) -> bytes:
    """The good file with its parts compressed, and some bytes of a part changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as parts, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in parts.namelist():
            packed.writestr(name, parts.read(name))
    data = bytearray(file.getvalue())
    data[60:70] = b"\xff" * 10
    return bytes(data)


ROWS = np.ones((1, WIDTH), dtype=np.float16)
BROKEN: dict[str, Callable[[bytes, Path], bytes]] = {
    "empty": lambda good, mark: b"",
    "text": lambda good, mark: b"no archive",
    "cut": lambda good, mark: good[: len(good) // 2],
    "cut near its end": lambda good, mark: good[:-9],
    "changed": lambda good, mark: good.replace(one_row("a").tobytes(), bytes(memory.WIDTH)),
    "compressed and changed": lambda good, mark: compressed_and_broken(good),
    "a pickle": lambda good, mark: pickle.dumps(Trap(mark)),
    "pickled rows": lambda good, mark: saved(digests=one_row("a"), rows=np.array([Trap(mark)], dtype=object)),
    "pickled digests": lambda good, mark: saved(digests=np.array([Trap(mark)], dtype=object), rows=ROWS),
    "an array": lambda good, mark: npy(ROWS),
    "without rows": lambda good, mark: saved(digests=one_row("a")),
    "with rows too many": lambda good, mark: saved(digests=one_row("a"), rows=np.ones((2, WIDTH), dtype=np.float16)),
    "with rows too few": lambda good, mark: saved(digests=np.repeat(one_row("a"), 2, axis=0), rows=ROWS),
    "with one number": lambda good, mark: saved(digests=np.uint8(7), rows=np.float16(7)),
    "with rows of no width": lambda good, mark: saved(digests=one_row("a"), rows=np.ones(1, dtype=np.float16)),
    "with rows of words": lambda good, mark: saved(digests=one_row("a"), rows=np.array([["x"] * WIDTH])),
    "with digests of words": lambda good, mark: saved(digests=np.array(["x"]), rows=ROWS),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_counts_as_never_written_and_nothing_in_it_runs(how, tmp_path, encoder):
    Memory(tmp_path, encoder, name="watched")(["a", "b"])
    (file,) = (tmp_path / "watched").iterdir()
    mark = tmp_path / "mark"
    file.write_bytes(BROKEN[how](file.read_bytes(), mark))
    for _ in range(2):  # and what is encoded in its stead is kept
        assert Memory(tmp_path, encoder, name="watched")(["b", "a", "c"]).tolist() == expected(["b", "a", "c"])
    assert encoder.asked == [["a", "b"], ["b", "a", "c"]]
    assert not mark.exists()


def test_what_is_no_file_of_ours_is_left_alone(tmp_path, encoder):
    (tmp_path / "watched" / "folder.npz").mkdir(parents=True)
    (tmp_path / "watched" / "notes.txt").write_text("notes")
    Memory(tmp_path, encoder, name="watched")(["a"])
    assert Memory(tmp_path, None, name="watched")(["a"]).tolist() == expected(["a"])
    assert (tmp_path / "watched" / "notes.txt").read_text() == "notes"


def test_an_encoder_that_fails_leaves_nothing_behind(tmp_path, encoder):
    def failing(texts: Sequence[str]) -> np.ndarray:
        raise RuntimeError("out of memory")

    remembered = Memory(tmp_path, failing, name="watched")
    with pytest.raises(RuntimeError, match="out of memory"):
        remembered(["a"])
    assert list(tmp_path.rglob("*")) == []
    remembered.encoder = encoder
    assert remembered(["a"]).tolist() == expected(["a"])
    assert encoder.asked == [["a"]]


def test_an_encoder_that_gives_too_few_rows_is_found_out(tmp_path, encoder):
    remembered = Memory(tmp_path, lambda texts: np.ones((1, WIDTH)), name="watched")
    with pytest.raises(ValueError, match="shorter"):
        remembered(["a", "b"])
    assert list(tmp_path.rglob("*.npz")) == []
    remembered.encoder = encoder
    assert remembered(["a", "b"]).tolist() == expected(["a", "b"])


def test_another_encoder_cannot_pass_for_minilm(tmp_path, encoder):
    with pytest.raises(DataError, match="'minilm' are MiniLM's, got another encoder; give it a name of its own"):
        Memory(tmp_path, encoder)
    with pytest.raises(DataError, match="are MiniLM's"):
        Memory(tmp_path, partial(encode, model="other"))
    assert Memory(tmp_path).folder == tmp_path / "minilm"


def wider(texts: Sequence[str]) -> np.ndarray:
    return np.ones((len(texts), WIDTH + 2))


def test_two_encoders_under_one_name_are_refused_before_anything_is_mixed(tmp_path, encoder):
    Memory(tmp_path, encoder, name="watched")(["a"])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="watched is for vectors of one encoder, got some of 3 and of 5 numbers; give each"):
        Memory(tmp_path, wider, name="watched")(["b", "a"])
    assert sorted(tmp_path.rglob("*")) == before
    alone, meanwhile = (Memory(tmp_path / "apart", encode, name="watched") for encode in (wider, encoder))
    alone(["a"])
    with pytest.raises(DataError, match="3 and of 5"):
        meanwhile(["b"])


def test_a_file_is_whole_or_not_there(tmp_path, encoder, monkeypatch):
    """While it is written it has no name that anyone reads; a crash in between leaves none."""

    def crash(file, **arrays):
        file.write(b"half of it")
        assert list((tmp_path / "watched").glob("*.npz")) == []
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(memory.np, "savez", crash)
        with pytest.raises(KeyboardInterrupt):
            Memory(tmp_path, encoder, name="watched")(["a"])
    assert list((tmp_path / "watched").glob("*.npz")) == []
    assert Memory(tmp_path, encoder, name="watched")(["a"]).tolist() == expected(["a"])
    assert encoder.asked == [["a"], ["a"]]


def test_the_folder_is_the_users_cache_unless_one_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv("ANTIVENOM_CACHE", str(tmp_path / "mine"))
    assert memory.folder() == tmp_path / "mine"
    monkeypatch.delenv("ANTIVENOM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert memory.folder() == tmp_path / "antivenom"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert memory.folder() == tmp_path / ".cache" / "antivenom"
