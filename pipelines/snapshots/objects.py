"""Snapshots in an object store: S3, or whatever else fsspec reaches by an address.

    URL/files/DIGEST                     a file by its SHA-256, once for all snapshots that hold it
    URL/snapshots/DIGEST/manifest.json   comes last, after manifest.sig: what has no manifest is not there
    URL/refs/NAME                        the digest that a name leads to

Of what a manifest says only digests become addresses, and whatever comes from there is held to its digest.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.schema import DataError
from pipelines.snapshots.manifests import BESIDE, MANIFEST, SIGNATURE, digest_of, digest_of_facts, manifest
from pipelines.snapshots.names import check_name, is_digest

SECRET = re.compile(r"://[^/@:]+:[^@]*@|[?&][^=&]*(signature|token|credential|secret|sig|key)[^=&]*=", re.IGNORECASE)
LONGEST = 2**26  # bytes of a manifest, a signature or a ref: all that is read before it is held to anything
AGAIN = "push it once more with --again, from a store that has it whole"


@dataclass(frozen=True, slots=True)
class Objects:
    """One address, and the file system that it is on."""

    url: str
    fs: Any
    root: str

    def manifest(self, snapshot: str, into: Path) -> Mapping[str, Any] | None:
        """What a snapshot says of itself, which stands in the folder `into` then; none where it is not there."""
        key = f"snapshots/{snapshot}/{MANIFEST}"
        found = self.read(key)
        if found is None:
            return None
        (into / MANIFEST).write_bytes(found)
        told = manifest(into)
        plain = {name: value for name, value in told.items() if name != "snapshot"}
        if told.get("snapshot") != snapshot or digest_of_facts(plain) != snapshot:
            raise DataError(f"{self.url}/{key}: was changed since it was pushed; {AGAIN}")
        for name, digest in told["files"].items():
            if not is_digest(digest) or not Path(name).parts or name in BESIDE or "\0" in name:
                raise DataError(f"{self.url}/{key}: {name!r} of {digest!r} is no file that antivenom publishes; pull another")
        return told

    def fetch(self, digest: str, file: Path) -> None:
        """The file of a digest; DataError where it is another, or none."""
        key = f"files/{digest}"
        file.parent.mkdir(parents=True, exist_ok=True)
        if self._size(key) is None:
            raise DataError(f"{self.url}/{key}: {file.name} is missing there; {AGAIN}")
        self._tried(key, lambda: self.fs.get_file(f"{self.root}/{key}", str(file)))
        if digest_of(file) != digest:
            raise DataError(f"{self.url}/{key}: {file.name} was changed since it was pushed; {AGAIN}")

    def signature(self, snapshot: str, into: Path) -> None:
        """Its signature into the folder, where there is one."""
        found = self.read(f"snapshots/{snapshot}/{SIGNATURE}")
        if found is not None:
            (into / SIGNATURE).write_bytes(found)

    def put(self, folder: Path, told: Mapping[str, Any], *, again: bool) -> int:
        """Sends what lacks of a published folder, the manifest last; the number of files that were sent."""
        sent, beside = 0, f"snapshots/{told['snapshot']}"
        for name, digest in told["files"].items():
            file = folder / name
            if again or self._size(f"files/{digest}") != file.stat().st_size:
                self._send(file, f"files/{digest}")
                sent += 1
        for name in (SIGNATURE, MANIFEST):
            if (folder / name).is_file() and self.read(f"{beside}/{name}") != (folder / name).read_bytes():
                self._send(folder / name, f"{beside}/{name}")
        return sent

    def copy(self, file: Path) -> None:
        """The one object that the address itself names."""
        self._tried("", lambda: self.fs.get_file(self.root, str(file)))

    def resolve(self, name: str) -> str:
        """The digest that a ref names there; a digest names itself."""
        if is_digest(name):
            return name
        check_name(name)
        found = (self.read(f"refs/{name}") or b"").decode("ascii", "replace").strip()
        if not is_digest(found):
            raise DataError(f"{self.url}/refs/{name}: no snapshot has that name there; push it first")
        return found

    def point(self, ref: str, snapshot: str, aside: Path) -> None:
        """Lets the ref name this snapshot there; `aside` is a folder to write in."""
        (aside / "ref").write_text(f"{snapshot}\n")
        self._send(aside / "ref", f"refs/{ref}")

    def read(self, key: str) -> bytes | None:
        """What is small, in memory; none where it is not there."""
        size = self._size(key)
        if size is None:
            return None
        if size > LONGEST:
            raise DataError(f"{self.url}/{key}: {size:,} bytes, where {LONGEST:,} are the most that antivenom writes")
        found: bytes = self._tried(key, lambda: self.fs.cat_file(f"{self.root}/{key}"))
        return found

    def _size(self, key: str) -> int | None:
        def asked() -> int | None:
            try:
                return int(self.fs.info(f"{self.root}/{key}")["size"])
            except FileNotFoundError:
                return None

        found: int | None = self._tried(key, asked)
        return found

    def _send(self, file: Path, key: str) -> None:
        """One object, whole or not at all: object stores do so by themselves, a disk by a rename."""
        place = f"{self.root}/{key}"
        if not getattr(self.fs, "local_file", False):
            self._tried(key, lambda: self.fs.put_file(str(file), place))
            return
        aside = f"{place}.{uuid.uuid4().hex}"
        self._tried(key, lambda: self.fs.makedirs(str(Path(place).parent), exist_ok=True))
        self._tried(key, lambda: self.fs.put_file(str(file), aside))
        self._tried(key, lambda: self.fs.mv(aside, place))

    def _tried(self, key: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # every kind of store fails by kinds of its own
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            place = f"{self.url}/{key}".rstrip("/")
            raise DataError(f"{place}: {said}; see to address, rights and network, and give the command again") from None


def at(url: str) -> Objects:
    """The store at an address such as s3://bucket/antivenom; DataError where nothing here can reach one of that kind."""
    import fsspec

    if SECRET.search(url):
        raise DataError(
            "an address with a password or a signature in it would stand in manifests; give the password by the environment"
        )
    shown = re.sub(r"://[^/]*@", "://", url).rstrip("/")
    if "://" not in url:
        raise DataError(f"{url}: expected an address such as s3://bucket/folder; of a folder on this disk, file:///whole/path")
    try:
        fs, root = fsspec.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise DataError(f"{shown}: {error}; for S3, pip install 'antivenom[objects]'") from None
    except Exception as error:
        raise DataError(f"{shown}: {error}; expected an address such as s3://bucket/folder") from None
    return Objects(shown, fs, root.rstrip("/"))
