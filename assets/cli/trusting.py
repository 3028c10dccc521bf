"""Commands on trust: keys new, keys revoke, keys list, sign, attest, verify."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from assets import gate
from assets.cli.common import AsJson, say, write_file
from assets.places import home
from pipelines import snapshots
from pipelines.schema import DataError
from pipelines.snapshots import attestations, signatures, trust

TrustFile = Annotated[Path | None, typer.Option("--trust", help="file of trusted keys; else ANTIVENOM_TRUST, else the store's")]
Published = Annotated[Path, typer.Argument(help="a folder that antivenom published")]
PrivateKey = Annotated[Path, typer.Option("--key", envvar=signatures.KEY, help="file of the private key")]
PASSWORD = typer.Option("--password", envvar=signatures.PASSWORD, help="what the key's file is locked with", show_default=False)


def new(
    name: Annotated[str, typer.Argument(help="whose key it is; a further key of the same name replaces the older ones")],
    out: Annotated[Path, typer.Option("--out", help="file of the private key, which only you may read")],
    trust_file: TrustFile = None,
    days: Annotated[int, typer.Option(help="for how long it is trusted")] = 365,
    overlap: Annotated[int, typer.Option(help="for how many days older keys of that name are trusted yet")] = 30,
    password: Annotated[str, PASSWORD] = "",
    as_json: AsJson = False,
) -> None:
    """Makes a key, and trusts it; set ANTIVENOM_KEY to its file, and whatever is published is signed."""
    file = trust_file or _default()
    held = trust.read(file) if file.is_file() else trust.Trust(file)
    today = datetime.now(UTC).date()
    held.with_key(name, "", today=today, days=days, overlap=overlap)  # refused before a key is made
    made = signatures.new(out, password)
    held = held.with_key(name, made.public, today=today, days=days, overlap=overlap)
    try:
        held.write()
    except DataError:  # a key that nobody trusts is of no use
        out.unlink()
        raise
    until = held.keys[-1].until
    say(
        {"name": name, "key": str(out), "trust": str(file), "until": until},
        as_json,
        f"{out}: {name}'s private key; keep it to yourself, and export {signatures.KEY}={out}",
        f"{file}: trusts it until {until}; give this file to whoever verifies or trains",
    )


def revoke(
    name: Annotated[str, typer.Argument(help="whose keys")], trust_file: TrustFile = None, as_json: AsJson = False
) -> None:
    """Trusts no key of that name any more, whatever day it was used on."""
    held = trust.read(trust_file or _default()).without(name)
    held.write()
    say({"revoked": name, "trust": str(held.file)}, as_json, f"{held.file}: keys of {name} prove nothing any more")


def list_(trust_file: TrustFile = None, as_json: AsJson = False) -> None:
    """Whose keys are trusted, and until when."""
    held, today = trust.read(trust_file or _default()), datetime.now(UTC).date()
    keys = [{"name": key.name, "since": key.since, "until": key.until, "refused": key.refused(today)} for key in held.keys]
    lines = [f"  {key['name']:<20} {key['since']} to {key['until']}  {key['refused'] or 'trusted'}" for key in keys]
    say({"trust": str(held.file), "keys": keys}, as_json, f"{held.file}: {len(keys)} keys", *lines)


def sign(
    folder: Published,
    key: PrivateKey,
    password: Annotated[str, PASSWORD] = "",
    as_json: AsJson = False,
) -> None:
    """Signs a published folder, whoever signed it before; every file is compared with its digest first."""
    snapshots.verify(folder)
    signatures.sign(folder, key, password)
    say({"folder": str(folder), "key": str(key)}, as_json, f"{folder}: signed with {key}")


def attest(
    folder: Published,
    key: PrivateKey,
    out: Annotated[Path, typer.Option("--out", help="file for the attestation, beside the folder")],
    password: Annotated[str, PASSWORD] = "",
    as_json: AsJson = False,
) -> None:
    """Attests how a published folder was made, and of what, in a form that others check: in-toto, SLSA provenance, DSSE."""
    gate.check_snapshot(folder)
    write_file(out, attestations.attest(folder, key, password), "payloadType")
    say({"folder": str(folder), "attestation": str(out), "key": str(key)}, as_json, f"{out}: attests {folder}, by {key}")


def verify(
    folder: Published,
    trust_file: TrustFile = None,
    attestation: Annotated[Path | None, typer.Option(help="what antivenom attest wrote, in place of a signature")] = None,
    as_json: AsJson = False,
) -> None:
    """Compares every file of a published folder with the digest in its manifest, and its signature with the trusted keys."""
    found = snapshots.verify(folder)
    held = trust.read(trust_file) if trust_file else trust.in_force(home())
    if attestation is not None and held is None:
        raise DataError(f"{attestation}: is held against trusted keys, and there is no file of any; name it with --trust")
    by, how = None, "signed"
    if attestation is not None and held is not None:
        by, how = attestations.attester(folder, attestation, held).name, "attested"
    elif held is not None:
        by = signatures.signer(folder, held).name
    told = f"{how} by {by}" if by else "nobody's signature was asked for: there is no file of trusted keys"
    say(
        {"folder": str(folder), "files": len(found["files"]), "snapshot": found["snapshot"], f"{how}_by": by},
        as_json,
        f"{len(found['files'])} files are as they were published; {told}",
    )


def _default() -> Path:
    found = trust.in_force(home())
    return found.file if found is not None else home() / "trust.json"
