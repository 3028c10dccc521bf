import base64
import json
import shutil
import stat
from datetime import date, timedelta

import pytest

from pipelines.schema import DataError
from pipelines.snapshots import Store, signatures, staged, trust, verify

TODAY = date(2026, 5, 1)


def publish(folder, text="one"):
    with staged(folder, "letters") as aside:
        (aside / "a.txt").write_text(text)
    return folder


@pytest.fixture
def keys(tmp_path):
    """Two people's keys, of whom the first is trusted."""
    mine, theirs = signatures.new(tmp_path / "mine.pem"), signatures.new(tmp_path / "theirs.pem", "secret")
    held = trust.Trust(tmp_path / "trust.json").with_key("me", mine.public, today=TODAY)
    held.write()
    return mine, theirs, trust.read(held.file)


def test_a_signature_names_whose_key_it_is_of(tmp_path, keys):
    mine, theirs, held = keys
    folder = publish(tmp_path / "out")
    with pytest.raises(DataError, match="is not signed"):
        signatures.signer(folder, held, TODAY)
    signatures.sign(folder, mine.private)
    assert signatures.signer(folder, held, TODAY).name == "me"
    verify(folder)  # the signature is no file that was published
    signatures.sign(folder, theirs.private, "secret")
    with pytest.raises(DataError, match=r"by no key of .*trust\.json"):
        signatures.signer(folder, held, TODAY)
    both = held.with_key("them", theirs.public, today=TODAY)
    assert signatures.signer(folder, both, TODAY).name == "them"


def test_it_is_an_envelope_of_an_in_toto_statement_about_the_manifest_alone(tmp_path, keys):
    folder = publish(tmp_path / "out")
    signatures.sign(folder, keys[0].private)
    envelope = json.loads((folder / "manifest.sig").read_text())["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["_type"].startswith("https://in-toto.io/Statement")
    assert [each["name"] for each in statement["predicate"]["resources"]] == ["manifest.json"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder, other: (folder / "manifest.json").write_text((folder / "manifest.json").read_text() + " "),
        lambda folder, other: shutil.copy(other / "manifest.sig", folder / "manifest.sig"),
        lambda folder, other: (folder / "manifest.sig").write_text("{}"),
        lambda folder, other: (folder / "manifest.sig").write_bytes(b"\x80\x04" * 100),
        lambda folder, other: (folder / "manifest.sig").write_text("[" * 100_000),
    ],
)
def test_a_manifest_or_signature_that_was_changed_proves_nothing(harm, tmp_path, keys):
    mine, _, held = keys
    folder, other = publish(tmp_path / "out"), publish(tmp_path / "other", "two")
    for each in (folder, other):
        signatures.sign(each, mine.private)
    harm(folder, other)
    with pytest.raises(DataError, match="is signed by no key of"):
        signatures.signer(folder, held, TODAY)


def test_a_signature_of_other_files_is_none_of_the_manifest(tmp_path, keys):
    from model_signing import signing

    mine, _, held = keys
    folder = publish(tmp_path / "out")
    (tmp_path / "bait").mkdir()
    (tmp_path / "bait" / "a.txt").write_text("one")
    whole = signing.Config().use_elliptic_key_signer(private_key=mine.private)
    whole.sign(tmp_path / "bait", folder / "manifest.sig")  # by the trusted key, and true, but of no manifest
    with pytest.raises(DataError, match="is signed by no key of"):
        signatures.signer(folder, held, TODAY)


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (TODAY - timedelta(1), "from 2026-05-01 only"),
        (TODAY + timedelta(365), ""),
        (TODAY + timedelta(366), "expired on 2027-05-01"),
    ],
)
def test_a_key_is_trusted_on_its_days(day, said, tmp_path, keys):
    mine, _, held = keys
    folder = publish(tmp_path / "out")
    signatures.sign(folder, mine.private)
    if said:
        with pytest.raises(DataError, match=said):
            signatures.signer(folder, held, day)
    else:
        assert signatures.signer(folder, held, day).name == "me"


def test_a_further_key_replaces_the_older_ones_after_some_days(tmp_path, keys):
    mine, theirs, held = keys
    rotated = held.with_key("me", theirs.public, today=TODAY, overlap=10)
    assert [key.until for key in rotated.keys] == ["2026-05-11", "2027-05-01"]
    folder = publish(tmp_path / "out")
    signatures.sign(folder, mine.private)
    assert signatures.signer(folder, rotated, TODAY + timedelta(10)).name == "me"
    with pytest.raises(DataError, match="expired on 2026-05-11"):
        signatures.signer(folder, rotated, TODAY + timedelta(11))
    signatures.sign(folder, theirs.private, "secret")
    assert signatures.signer(folder, rotated, TODAY + timedelta(11)).name == "me"


def test_a_revoked_key_proves_nothing_on_any_day(tmp_path, keys):
    mine, _, held = keys
    folder = publish(tmp_path / "out")
    signatures.sign(folder, mine.private)
    with pytest.raises(DataError, match="was revoked"):
        signatures.signer(folder, held.without("me"), TODAY)
    with pytest.raises(DataError, match=r"trusts no key of 'nobody'; there are keys of me"):
        held.without("nobody")


def test_private_keys_are_for_their_owner_and_are_not_written_over(tmp_path, keys):
    mine, theirs, _ = keys
    assert stat.S_IMODE(mine.private.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in theirs.private.read_bytes()
    with pytest.raises(DataError, match="a key stands there"):
        signatures.new(mine.private)
    folder = publish(tmp_path / "out")
    for file, password in (
        (theirs.private, ""),
        (theirs.private, "wrong"),
        (tmp_path / "none.pem", ""),
        (folder / "a.txt", ""),
    ):
        with pytest.raises(DataError, match="no private key that can be read"):
            signatures.sign(folder, file, password)
    assert not (folder / "manifest.sig").exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"keys": [{}]}', '{"keys": [{"name": 1, "public": "", "since": "2026-01-01", "until": "2027-01-01"}]}',
     '{"keys": [{"name": "a", "public": "", "since": "soon", "until": "2027-01-01"}]}',
     '{"keys": [{"name": "a", "public": "", "since": "2026-01-01", "until": "2027-01-01", "revoked": "no"}]}'],
)  # fmt: skip
def test_a_trust_file_that_is_none_is_named(text, tmp_path):
    (tmp_path / "trust.json").write_text(text)
    with pytest.raises(DataError, match=r"trust\.json: no file of trusted keys"):
        trust.read(tmp_path / "trust.json")


def test_whatever_is_published_is_signed_with_the_key_that_is_named(tmp_path, keys, monkeypatch):
    mine, theirs, held = keys
    store = Store(tmp_path / "store")

    def made() -> str:
        return store.publish("letters", lambda folder: (folder / "a.txt").write_text("a"))

    assert not (store.folder(made()) / "manifest.sig").exists()
    monkeypatch.setenv("ANTIVENOM_KEY", str(mine.private))
    assert signatures.signer(publish(tmp_path / "out"), held, TODAY).name == "me"
    assert signatures.signer(store.folder(made()), held, TODAY).name == "me"  # it was there, unsigned
    monkeypatch.setenv("ANTIVENOM_KEY", str(theirs.private))
    with pytest.raises(DataError, match="no private key that can be read"):
        publish(tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_a_further_key_makes_none_last_longer(tmp_path, keys):
    mine, theirs, held = keys
    short = trust.Trust(held.file).with_key("me", mine.public, today=TODAY, days=5)
    assert short.with_key("me", theirs.public, today=TODAY, overlap=30).keys[0].until == "2026-05-06"
