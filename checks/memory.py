"""An encoder that remembers: only texts never seen before are encoded, in this run or any other that shares the folder."""

import hashlib
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np

from checks.encoding import Encoder, encode
from pipelines.schema import DataError

CACHE = "ANTIVENOM_CACHE"  # the folder
MINILM = "minilm"
WIDTH = 16  # bytes of a text's digest


class Memory:
    """`encoder` with what it gave kept in `folder`, a file a call, as half-precision rows beside digests of their texts.

    A file is put in place by one rename, so that a crash leaves no half of one; an unreadable one counts as never written.
    Each encoder has a `name` of its own, under which its rows are kept; raises DataError where another's would be mixed with
    MiniLM's, or rows of one width with those of another.
    """

    def __init__(self, folder: Path, encoder: Encoder = encode, *, name: str = MINILM) -> None:
        if name == MINILM and encoder is not encode:
            raise DataError(f"vectors named {name!r} are MiniLM's, got another encoder; give it a name of its own with name=")
        self.folder, self.encoder = folder / name, encoder
        self._rows: dict[bytes, np.ndarray] = {}
        self._read: set[str] = set()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """[texts, width] float32; the same whether a text was remembered or not."""
        self._load()
        digests = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=WIDTH).digest() for text in texts]
        new = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in self._rows}
        if new:
            self._keep(list(new), self.encoder(list(new.values())).astype(np.float16))
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        return np.stack([self._rows[digest] for digest in digests]).astype(np.float32)

    def _load(self) -> None:
        for file in sorted(self.folder.glob("*.npz")) if self.folder.is_dir() else ():
            if file.name in self._read:
                continue
            self._read.add(file.name)
            self._add(_kept(file))

    def _keep(self, digests: list[bytes], rows: np.ndarray) -> None:
        self._add(dict(zip(digests, rows, strict=True)))  # all of them or, of an encoder that lost some, none
        aside, name = self.folder / f".{uuid.uuid4().hex}", f"{uuid.uuid4().hex}.npz"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                np.savez(file, digests=np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, WIDTH), rows=rows)
            os.replace(aside, self.folder / name)
        except OSError as error:
            with suppress(OSError):
                aside.unlink()
            mend = f"make room there, or name another folder by {CACHE}"
            raise DataError(f"{self.folder}: embeddings can't be kept ({error}); {mend}") from None
        self._read.add(name)

    def _add(self, rows: dict[bytes, np.ndarray]) -> None:
        widths = {row.size for known in (self._rows, rows) for row in islice(known.values(), 1)}
        if len(widths) > 1:
            told = " and of ".join(map(str, sorted(widths)))
            raise DataError(
                f"{self.folder} is for vectors of one encoder, got some of {told} numbers; give each a name= of its own"
            )
        self._rows |= rows


def _kept(file: Path) -> dict[bytes, np.ndarray]:
    """Rows by the digest of their text; none where the file is not one that `Memory` writes."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            digests, rows = kept["digests"], kept["rows"]
    except Exception:  # zip, zlib and numpy fail in a dozen ways, after all of which the texts are encoded again
        return {}
    if (digests.dtype, rows.dtype, rows.ndim) != (np.uint8, np.float16, 2) or digests.shape != (len(rows), WIDTH):
        return {}
    return dict(zip(map(bytes, digests), rows, strict=True))


def folder() -> Path:
    """Where embeddings are kept: ANTIVENOM_CACHE, or the user's cache folder."""
    given = os.environ.get(CACHE)
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "antivenom"
