"""What others can check without us: by which command, settings and code the files of a published folder were made, and of what.

It is an in-toto statement with SLSA provenance (v1), in a DSSE envelope signed by the keys that sign manifests. It holds no
day: the same folder is attested in the same words.
"""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipelines.schema import DataError
from pipelines.snapshots.manifests import MANIFEST, digest_of, verify
from pipelines.snapshots.signatures import held_to, unreadable
from pipelines.snapshots.trust import Key, Trust

STATEMENT, PROVENANCE = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
PAYLOAD = "application/vnd.in-toto+json"
BUILD, BUILDER, NAMED = "urn:antivenom:published-folder:1", "urn:antivenom:publisher", "urn:antivenom:name:"
HEX = frozenset("0123456789abcdef")


def statement(folder: Path) -> dict[str, Any]:
    """The statement about a folder, of its manifest alone; DataError where a file is not as it was published."""
    told = verify(folder)
    files = {**told["files"], MANIFEST: digest_of(folder / MANIFEST)}
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(files.items())],
        "predicateType": PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": _asked(told),
                "internalParameters": {name: told.get(name) for name in ("kind", "snapshot", "content", "poisoned")},
                "resolvedDependencies": [_dependency(each, told) for each in told.get("parents", ())],
            },
            "runDetails": {"builder": {"id": BUILDER, "version": dict(told.get("code", {}))}},
        },
    }


def attest(folder: Path, key: Path, password: str = "") -> dict[str, Any]:
    """The signed envelope; DataError for a key that can't be read."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    envelope = Envelope(_payload(folder), PAYLOAD, {})
    envelope.sign(CryptoSigner(_private(key, password)))
    found: dict[str, Any] = envelope.to_dict()
    return found


def attester(folder: Path, file: Path, trust: Trust, today: date | None = None) -> Key:
    """The trusted key that attests how a folder came to be; DataError where the folder, a key or a word of it does not hold."""
    wanted, envelope = _payload(folder), _read(file)
    key = held_to(trust, next((each for each in trust.keys if _verifies(envelope, each)), None), file, today)
    if (envelope.payload_type, envelope.payload) != (PAYLOAD, wanted):
        about = _about(envelope.payload)
        raise DataError(f"{file}: attests {about} and not {folder} as it is; attest it with antivenom attest")
    return key


def _payload(folder: Path) -> bytes:
    return json.dumps(statement(folder), sort_keys=True).encode()


def _asked(told: Mapping[str, Any]) -> dict[str, Any]:
    """The command and its arguments; of what an asset made, its partition and the digest of its settings."""
    if recipe := told.get("recipe"):
        return dict(recipe)
    return {"asset": told.get("kind"), **{name: told[name] for name in ("partition", "settings") if name in told}}


def _dependency(parent: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """A snapshot, by the digest that it bears; a file, by that of its bytes; anything else by its name."""
    inputs = {snapshot: name for name, snapshot in told.get("inputs", {}).items()}
    read = told.get("read", {})
    if parent in read or parent in inputs:
        known = {"name": inputs[parent]} if parent in inputs else {"annotations": {"read": read[parent]}}
        return {"uri": f"urn:antivenom:snapshot:{parent}", "digest": {"snapshot": parent}, **known}
    if len(parent) == 64 and set(parent) <= HEX:
        return {"digest": {"sha256": parent}}
    return {"name": parent, "uri": NAMED + quote(parent, safe="")}


def _private(file: Path, password: str) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(file.read_bytes(), password.encode() or None)
    except (OSError, ValueError, TypeError) as error:
        raise unreadable(file, error) from None


def _read(file: Path) -> Any:
    from securesystemslib.dsse import Envelope

    try:
        return Envelope.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except Exception as error:  # whatever somebody handed us as one
        why = type(error).__name__
        raise DataError(f"{file}: no attestation that can be read ({why}); make one with antivenom attest") from None


def _verifies(envelope: Any, key: Key) -> bool:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        envelope.verify([SSlibKey.from_crypto(load_pem_public_key(key.public.encode()))], 1)
    except Exception:  # whatever a hostile envelope leads the library to, it is no proof
        return False
    return True


def _about(payload: bytes) -> str:
    """The snapshot that a signed statement is about, as far as it says."""
    try:
        return f"the snapshot {json.loads(payload)['predicate']['buildDefinition']['internalParameters']['snapshot']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "something else"
