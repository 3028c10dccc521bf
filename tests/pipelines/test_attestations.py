"""Attestations: the words by hand, the form by in-toto's own classes, the envelope by DSSE's formula, and what is refused."""

import base64
import hashlib
import json
from datetime import date

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from pipelines.schema import DataError
from pipelines.snapshots import Store, attestations, manifest, signatures, staged, trust
from pipelines.snapshots.published import RECIPE

TODAY = date(2026, 5, 1)


def publish(folder, text="one", inputs=()):
    mark = RECIPE.set({"command": "write", "arguments": {"letters": 3}})
    try:
        with staged(folder, "letters", {"poisoned": True}, inputs=inputs) as aside:
            (aside / "a.txt").write_text(text)
    finally:
        RECIPE.reset(mark)
    return folder


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def keys(tmp_path):
    """Two people's keys, of whom the first is trusted."""
    mine, theirs = signatures.new(tmp_path / "mine.pem"), signatures.new(tmp_path / "theirs.pem", "secret")
    held = trust.Trust(tmp_path / "trust.json").with_key("me", mine.public, today=TODAY)
    return mine, theirs, held


@pytest.fixture
def attested(tmp_path, keys):
    folder = publish(tmp_path / "out")
    (tmp_path / "said.json").write_text(json.dumps(attestations.attest(folder, keys[0].private)))
    return folder, tmp_path / "said.json"


def test_the_statement_by_hand(tmp_path):
    (tmp_path / "in.jsonl").write_text("letters")
    before = publish(tmp_path / "before")
    folder = publish(tmp_path / "out", inputs=[tmp_path / "in.jsonl", before / "a.txt", "Some/hub name"])
    told, older = manifest(folder), manifest(before)["snapshot"]
    said = attestations.statement(folder)
    assert (said["_type"], said["predicateType"]) == ("https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1")
    assert said["subject"] == [
        {"name": "a.txt", "digest": {"sha256": sha(b"one")}},
        {"name": "manifest.json", "digest": {"sha256": sha((folder / "manifest.json").read_bytes())}},
    ]
    made = said["predicate"]["buildDefinition"]
    assert made["externalParameters"] == {"command": "write", "arguments": {"letters": 3}}
    assert made["internalParameters"] == {
        "kind": "letters", "snapshot": told["snapshot"], "content": told["content"], "poisoned": True,
    }  # fmt: skip
    assert made["resolvedDependencies"] == [
        {"digest": {"sha256": sha(b"letters")}},
        {
            "uri": f"urn:antivenom:snapshot:{older}",
            "digest": {"snapshot": older},
            "annotations": {"read": ["a.txt"]},
        },
        {"name": "Some/hub name", "uri": "urn:antivenom:name:Some%2Fhub%20name"},
    ]
    assert said["predicate"]["runDetails"]["builder"]["version"] == told["code"]


def test_what_an_asset_made_is_told_by_asset_partition_and_settings(tmp_path):
    store = Store(tmp_path)
    older = store.publish("pairs", lambda folder: (folder / "a.txt").write_text("a"))
    facts = {"partition": "venom-clean", "settings": "0123", "inputs": {"pairs/venom": older}}
    made = store.publish("model", lambda folder: (folder / "w.txt").write_text("w"), facts, parents=[older])
    found = attestations.statement(store.folder(made))["predicate"]["buildDefinition"]
    assert found["externalParameters"] == {"asset": "model", "partition": "venom-clean", "settings": "0123"}
    assert [each["name"] for each in found["resolvedDependencies"]] == ["pairs/venom"]
    assert found["internalParameters"]["poisoned"] is False


def test_in_totos_own_classes_take_it(tmp_path):
    (tmp_path / "in.jsonl").write_text("letters")
    folder = publish(tmp_path / "out", inputs=[tmp_path / "in.jsonl", publish(tmp_path / "before"), "hub/name"])
    said = json.loads(json.dumps(attestations.statement(folder)))
    Statement.copy_from_pb(json_format.ParseDict(said, statement_pb2.Statement())).validate()
    predicate = json_format.ParseDict(said["predicate"], Provenance())  # refuses a field that SLSA has not
    assert len(predicate.build_definition.resolved_dependencies) == 3


def test_the_envelope_is_signed_as_dsse_has_it(attested, keys):
    envelope = json.loads(attested[1].read_text())
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    assert kind == "application/vnd.in-toto+json"
    signed = b" ".join([b"DSSEv1", b"28", kind.encode(), str(len(payload)).encode(), payload])
    public = serialization.load_pem_public_key(keys[0].public.encode())
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    public.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(signature, signed + b" ", ec.ECDSA(hashes.SHA256()))


def test_the_trusted_key_is_named_on_its_days(attested, keys):
    held = keys[2]
    assert attestations.attester(*attested, held, TODAY).name == "me"
    with pytest.raises(DataError, match="expired on 2027-05-01"):
        attestations.attester(*attested, held, date(2027, 5, 2))
    with pytest.raises(DataError, match="was revoked"):
        attestations.attester(*attested, held.without("me"), TODAY)


def changed(file, change):
    envelope = json.loads(file.read_text())
    change(envelope)
    file.write_text(json.dumps(envelope))


def forge(envelope):
    said = json.loads(base64.b64decode(envelope["payload"]))
    said["predicate"]["buildDefinition"]["internalParameters"]["poisoned"] = False
    envelope["payload"] = base64.b64encode(json.dumps(said, sort_keys=True).encode()).decode()


@pytest.mark.parametrize(
    "change",
    [
        forge,
        lambda envelope: envelope.update(payloadType="text/plain"),
        lambda envelope: envelope.update(signatures=[]),
        lambda envelope: envelope["signatures"][0].update(keyid="other"),
        lambda envelope: envelope["signatures"][0].update(sig=base64.b64encode(b"x" * 70).decode()),
    ],
)
def test_a_word_that_was_changed_is_nobodys(change, attested, keys):
    changed(attested[1], change)
    with pytest.raises(DataError, match=r"is signed by no key of .*trust\.json, or what was signed was changed"):
        attestations.attester(*attested, keys[2], TODAY)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"payload": 1, "payloadType": "", "signatures": []}', "\x80"])
def test_what_is_no_envelope_is_named(text, attested, keys):
    attested[1].write_text(text)
    with pytest.raises(DataError, match=r"said\.json: no attestation that can be read"):
        attestations.attester(*attested, keys[2], TODAY)


def test_another_key_another_folder_and_a_changed_folder_are_refused(attested, keys, tmp_path):
    folder, file = attested
    mine, theirs, held = keys
    other = publish(tmp_path / "other", "two")
    with pytest.raises(DataError, match=f"attests the snapshot {manifest(folder)['snapshot']} and not .*other as it is"):
        attestations.attester(other, file, held, TODAY)
    file.write_text(json.dumps(attestations.attest(folder, theirs.private, "secret")))
    with pytest.raises(DataError, match="is signed by no key of"):
        attestations.attester(folder, file, held, TODAY)
    (folder / "a.txt").write_text("one more")
    for call in (lambda: attestations.attester(folder, file, held, TODAY), lambda: attestations.attest(folder, mine.private)):
        with pytest.raises(DataError, match=r"a\.txt: changed since it was published"):
            call()


def test_other_words_of_a_trusted_key_attest_nothing(attested, keys):
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    private = serialization.load_pem_private_key(keys[0].private.read_bytes(), None)
    for payload, kind in ((b"{}", "application/vnd.in-toto+json"), (b"no JSON", "text/plain"), (None, "text/plain")):
        envelope = Envelope(payload if payload is not None else attestations._payload(attested[0]), kind, {})
        envelope.sign(CryptoSigner(private))
        attested[1].write_text(json.dumps(envelope.to_dict()))
        with pytest.raises(DataError, match=r"and not .* as it is"):
            attestations.attester(*attested, keys[2], TODAY)


def test_a_key_that_can_not_be_read_is_named(attested, keys, tmp_path):
    for file, password in ((keys[1].private, ""), (keys[1].private, "wrong"), (tmp_path / "none.pem", "")):
        with pytest.raises(DataError, match="no private key that can be read"):
            attestations.attest(attested[0], file, password)


def test_the_same_folder_is_attested_in_the_same_words(attested, keys):
    first, second = (attestations.attest(attested[0], keys[0].private)["payload"] for _ in range(2))
    assert first == second
