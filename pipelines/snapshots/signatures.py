"""Who published a folder: a signature of its manifest, and so of all, in the form of OpenSSF model signing (a DSSE envelope of
an in-toto statement in a Sigstore bundle), by an elliptic key that needs no server.
"""

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pipelines.schema import DataError
from pipelines.snapshots.manifests import MANIFEST, SIGNATURE
from pipelines.snapshots.trust import Key, Trust

KEY, PASSWORD = "ANTIVENOM_KEY", "ANTIVENOM_KEY_PASSWORD"  # a private key's file, and what it is locked with


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key in its file, and its public one as text."""

    private: Path
    public: str


def new(file: Path, password: str = "") -> Pair:
    """A key on the curve P-256 in a file that only its owner may read; DataError where one stands there."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    made = ec.generate_private_key(ec.SECP256R1())
    lock = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    pem = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise DataError(f"{file}: a key stands there, and would be lost; name another file") from None
    with os.fdopen(handle, "wb") as stream:
        stream.write(pem)
    public = made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Pair(file, public.decode())


def sign(folder: Path, key: Path, password: str = "") -> None:
    """Leaves a signature beside the manifest; DataError for a key that can't be read."""
    from model_signing import signing

    try:
        signer = signing.Config().use_elliptic_key_signer(private_key=key, password=password.encode() or None)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError) as error:
        raise unreadable(key, error) from None
    aside = folder / f".{SIGNATURE}"
    signer.set_hashing_config(_of_manifest()).sign(folder, aside)
    aside.replace(folder / SIGNATURE)


def sign_as_told(folder: Path) -> None:
    """The same with the key that ANTIVENOM_KEY names; without one nothing is signed."""
    if key := os.environ.get(KEY):
        sign(folder, Path(key), os.environ.get(PASSWORD, ""))


def signer(folder: Path, trust: Trust, today: date | None = None) -> Key:
    """The trusted key that signed a folder's manifest; DataError where there is none, and why."""
    if not (folder / SIGNATURE).is_file():
        raise DataError(f"{folder}: is not signed; sign it with antivenom sign, or ask who made it")
    return held_to(trust, next((key for key in trust.keys if _verifies(folder, key)), None), folder, today)


def held_to(trust: Trust, found: Key | None, signed: Path, today: date | None = None) -> Key:
    """The key whose signature was `found`; DataError where there is none, and where it is not trusted on that day."""
    if found is None:
        raise DataError(f"{signed}: is signed by no key of {trust.file}, or what was signed was changed; ask who made it")
    if why := found.refused(today or datetime.now(UTC).date()):
        raise DataError(f"{signed}: is signed by {found.name}, whose key {why}; have it signed by a key that is trusted")
    return found


def unreadable(key: Path, error: Exception) -> DataError:
    """What is said of a file that holds no private key, or a locked one."""
    return DataError(f"{key}: no private key that can be read ({error}); make one with antivenom keys new")


def _verifies(folder: Path, key: Key) -> bool:
    from tempfile import NamedTemporaryFile

    from model_signing import verifying

    with NamedTemporaryFile(suffix=".pem") as file:
        file.write(key.public.encode())
        file.flush()
        try:
            held = verifying.Config().use_elliptic_key_verifier(public_key=file.name)
            held.set_hashing_config(_of_manifest()).verify(folder, folder / SIGNATURE)
        except Exception:  # whatever a hostile signature leads the library to, it is no proof
            return False
    return True


def _of_manifest() -> Any:
    """Only the manifest is hashed, which holds the digests of all others: what is signed must be exactly that."""
    from model_signing import hashing

    class OfManifest(hashing.Config):
        def hash(self, model_path: Any, *, files_to_hash: Any = None) -> Any:
            return super().hash(model_path, files_to_hash=[Path(model_path) / MANIFEST])

    return OfManifest()
