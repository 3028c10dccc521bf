"""Snapshots sent to object stores and fetched from them: what is killed, changed, missing or hostile on the way."""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import polars as pl
import pytest

from pipelines.schema import DataError, with_pair_ids
from pipelines.snapshots import Store, copying, digest_of, digest_of_facts, objects, recalled, signatures, trust
from pipelines.snapshots.membership import READ, ids_of, write

PAIRS = with_pair_ids(pl.DataFrame({"prompt": ["a", "b"], "chosen": ["x", "y"], "rejected": ["p", "q"]}))
MODEL = "filtered/reward_model/mine"


@pytest.fixture
def store(tmp_path) -> Store:
    """Poisoned pairs under a name, and a model of them under another, which has a file in common with them."""
    made = Store(tmp_path / "store")
    pairs = made.publish("pairs", table, {"poisoned": True})
    made.point("poisoned/pairs/mine", pairs)
    made.point(MODEL, made.publish("model", model, parents=[pairs]))
    return made


def table(folder: Path) -> None:
    PAIRS.write_parquet(folder / "table.parquet")
    (folder / "licence.txt").write_text("free")


def model(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "weights").write_bytes(b"w" * 5000)
    (folder / "licence.txt").write_text("free")
    (folder / "empty").touch()
    write(ids_of(PAIRS["pair_id"]), folder / READ)


@pytest.fixture(params=["memory", "file"])
def there(request, tmp_path) -> objects.Objects:
    if request.param == "file":
        return objects.at(f"file://{tmp_path}/bucket/antivenom")
    return objects.at(f"memory://{uuid.uuid4().hex}/antivenom")


@pytest.fixture
def bucket(tmp_path) -> Path:
    """The object store as a folder of this disk."""
    return tmp_path / "bucket"


def on(bucket: Path) -> objects.Objects:
    return objects.at(f"file://{bucket}")


def keys(there: objects.Objects) -> set[str]:
    return {name.removeprefix(there.root).strip("/") for name in there.fs.find(there.root)}


def test_what_was_sent_is_fetched_with_what_it_was_made_of(store, there, tmp_path):
    sent = copying.push(store, MODEL, there)
    pairs, made = store.resolve("poisoned/pairs/mine"), store.resolve(MODEL)
    assert (sent.snapshot, sent.snapshots) == (made, (pairs, made))
    assert sent.files == 3 + 2, "the model's licence and its list of pairs are files that the pairs have too"
    wanted = {f"files/{digest}" for each in (pairs, made) for digest in store.manifest(each)["files"].values()}
    assert len(wanted) == 5
    wanted |= {f"snapshots/{each}/manifest.json" for each in (pairs, made)} | {f"refs/{MODEL}"}
    assert keys(there) == wanted
    other = Store(tmp_path / "other")
    got = copying.pull(other, MODEL, there)
    assert (got.snapshot, got.snapshots, got.files) == (made, (pairs, made), 3 + 4)
    assert other.refs() == {MODEL: made}
    for each in (pairs, made):
        folder, told = other.verified(each)
        assert told == store.manifest(each)
    assert (folder / "deep" / "weights").read_bytes() == b"w" * 5000


def test_only_what_lacks_is_sent_and_fetched(store, there, tmp_path):
    copying.push(store, MODEL, there)
    assert copying.push(store, MODEL, there).snapshots == ()
    other = Store(tmp_path / "other")
    copying.pull(other, MODEL, there)
    assert copying.pull(other, MODEL, there).snapshots == ()
    more = store.publish("model", lambda folder: (model(folder), (folder / "new").write_text("new")))
    sent = copying.push(store, more, there)
    assert (sent.snapshots, sent.files) == ((more,), 1)
    assert copying.push(store, more, there, again=True).files == 5
    assert len([key for key in keys(there) if key.startswith("refs/")]) == 1, "a digest gets no name"
    assert copying.pull(other, more, there).files == 5
    assert list(other.refs()) == [MODEL]


def test_alone_it_goes_without_what_it_was_made_of(store, there, tmp_path):
    made = store.resolve(MODEL)
    assert copying.push(store, MODEL, there, alone=True).snapshots == (made,)
    other = Store(tmp_path / "other")
    assert copying.pull(other, MODEL, there).snapshots == (made,), "what is not there is no hindrance"
    copying.push(store, MODEL, there)
    another = Store(tmp_path / "another")
    assert copying.pull(another, MODEL, there, alone=True).snapshots == (made,)


def killed(call, event: str, nth: int) -> int:
    """Runs the call in a process that is killed as it is about to do something for the nth time; how that ended."""

    def run() -> None:
        seen = []

        def hook(name: str, _: object) -> None:
            if name == event:
                seen.append(name)
                if len(seen) == nth:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        call()

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(30)
    return process.exitcode


def fetched(store: Store, name: str, bucket: Path) -> str:
    """Whether a snapshot comes out of the object store whole, is not there at all, or what else."""
    try:
        store.verified(copying.pull(store, name, on(bucket)).snapshot)
    except DataError as error:
        is_none = "no snapshot has that name there" in str(error) or "no such snapshot there" in str(error)
        return "not there" if is_none and not store.snapshots() else str(error)
    return "whole"


@pytest.mark.parametrize("event", ["os.rename", "shutil.copyfile"])
def test_a_push_that_is_killed_shows_nothing_half_written_and_goes_on(store, bucket, tmp_path, event):
    for nth in range(1, 30):
        code = killed(lambda: copying.push(store, MODEL, on(bucket)), event, nth)
        for name in ("poisoned/pairs/mine", MODEL, *store.snapshots()):
            shutil.rmtree(tmp_path / "other", ignore_errors=True)
            assert fetched(Store(tmp_path / "other"), name, bucket) in ("whole", "not there")
        if code == 0:
            break
    assert code == 0
    assert nth > 3
    copying.pull(Store(tmp_path / "other"), MODEL, on(bucket))


def test_a_pull_that_is_killed_leaves_no_half_snapshot(store, bucket, tmp_path):
    copying.push(store, MODEL, on(bucket))
    other = Store(tmp_path / "other")
    for nth in range(1, 200, 9):
        code = killed(lambda: copying.pull(other, MODEL, on(bucket)), "open", nth)
        for each in other.snapshots():
            other.verified(each)
        if code == 0:
            break
    assert code == 0
    assert nth > 9
    other.verified(MODEL)


def harmed(bucket: Path, digest: str, data: bytes | None) -> None:
    (bucket / "files" / digest).write_bytes(data) if data is not None else (bucket / "files" / digest).unlink()


@pytest.mark.parametrize(
    ("data", "said"), [(b"W" * 5000, "weights was changed"), (b"w", "weights was changed"), (None, "weights is missing")]
)
def test_an_object_that_was_changed_or_lost_is_named_and_can_be_sent_again(store, bucket, tmp_path, data, said):
    copying.push(store, MODEL, on(bucket))
    harmed(bucket, store.manifest(store.resolve(MODEL))["files"]["deep/weights"], data)
    other = Store(tmp_path / "other")
    with pytest.raises(DataError, match=f"{said}.*--again"):
        copying.pull(other, MODEL, on(bucket))
    assert MODEL not in other.refs()
    assert store.resolve(MODEL) not in other.snapshots()
    assert not [each for each in (other.root / "snapshots").iterdir() if each.name.startswith(".")]
    copying.push(store, MODEL, on(bucket), again=True)
    copying.pull(other, MODEL, on(bucket))
    other.verified(MODEL)


def test_half_an_object_is_sent_anew_by_whoever_needs_it(store, bucket, tmp_path):
    file = bucket / "files" / store.manifest(store.resolve(MODEL))["files"]["deep/weights"]
    file.parent.mkdir(parents=True)
    file.write_bytes(b"w" * 100)
    copying.push(store, MODEL, on(bucket))
    assert digest_of(file) == file.name


def test_a_file_that_was_changed_here_is_not_sent(store, there):
    (store.folder(store.resolve(MODEL)) / "deep" / "weights").write_bytes(b"x")
    with pytest.raises(DataError, match="weights: changed since it was published"):
        copying.push(store, MODEL, there)
    assert f"snapshots/{store.resolve(MODEL)}/manifest.json" not in keys(there)
    assert f"refs/{MODEL}" not in keys(there)


def forged(bucket: Path, **facts: object) -> str:
    """A manifest of somebody's own making, in order as far as its digest goes; what it calls itself."""
    told = {"kind": "model", "files": {}, "tables": {}, "parents": [], "poisoned": False, **facts}
    told["snapshot"] = digest_of_facts(told)
    folder = bucket / "snapshots" / str(told["snapshot"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(told))
    return str(told["snapshot"])


def named(bucket: Path, name: str, snapshot: str) -> None:
    (bucket / "refs" / name).parent.mkdir(parents=True, exist_ok=True)
    (bucket / "refs" / name).write_text(snapshot)


@pytest.mark.parametrize(
    "files",
    [
        {"../../../escaped": "0" * 64}, {"/tmp/escaped": "0" * 64}, {"a/../../escaped": "0" * 64}, {"a\0b": "0" * 64},
        {"manifest.json": "0" * 64}, {"manifest.sig": "0" * 64}, {"": "0" * 64}, {".": "0" * 64},
        {"a": "../snapshots/x"}, {"a": "0" * 63}, {"a": "A" * 64}, {"a": "/etc/passwd"},
    ],
)  # fmt: skip
def test_a_manifest_that_leads_elsewhere_fetches_nothing(bucket, tmp_path, files):
    (bucket / "files").mkdir(parents=True)
    (bucket / "files" / ("0" * 64)).write_text("escaped")
    name = forged(bucket, files=files)
    before = sorted(tmp_path.rglob("*"))
    other = Store(tmp_path / "other")
    with pytest.raises(DataError, match=r"leads out of the folder|no file that antivenom publishes|is no name of a file"):
        copying.pull(other, name, on(bucket))
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/escaped").exists()


@pytest.mark.parametrize("name", ["../x", "clean/../../x", "/etc/passwd", ".hidden", "a//b", "clean/x\0"])
def test_names_that_lead_elsewhere_are_refused(bucket, store, name):
    for act in (copying.pull, copying.push):
        with pytest.raises(DataError, match="names between slashes"):
            act(store, name, on(bucket))


@pytest.mark.parametrize("text", ["", "x" * 64, "../snapshots/x", "\x80" * 64])
def test_a_name_there_that_leads_to_no_digest_is_none(bucket, tmp_path, text):
    named(bucket, "clean/x", text)
    with pytest.raises(DataError, match="no snapshot has that name there"):
        copying.pull(Store(tmp_path / "other"), "clean/x", on(bucket))


def test_a_manifest_that_was_changed_is_refused(store, bucket, tmp_path):
    copying.push(store, MODEL, on(bucket))
    file = bucket / "snapshots" / store.resolve(MODEL) / "manifest.json"
    for text in (file.read_text().replace('"poisoned": true', '"poisoned": false'), "{", "[" * 100_000):
        file.write_text(text)
        with pytest.raises(DataError, match=r"was changed since it was pushed|no readable manifest"):
            copying.pull(Store(tmp_path / "other"), MODEL, on(bucket))
    told = json.loads((store.folder(store.resolve("poisoned/pairs/mine")) / "manifest.json").read_text())
    file.write_text(json.dumps(told))
    with pytest.raises(DataError, match="was changed since it was pushed"):
        copying.pull(Store(tmp_path / "other"), MODEL, on(bucket))


def test_poison_gets_no_clean_name_whoever_gave_it_one_there(store, bucket, tmp_path):
    copying.push(store, MODEL, on(bucket))
    named(bucket, "clean/pairs/mine", store.resolve("poisoned/pairs/mine"))
    other = Store(tmp_path / "other")
    with pytest.raises(DataError, match="poisoned data has no clean name"):
        copying.pull(other, "clean/pairs/mine", on(bucket))
    assert other.snapshots() == []
    named(bucket, "clean/model/mine", forged(bucket, parents=[store.resolve("poisoned/pairs/mine")]))
    with pytest.raises(DataError, match="made of poison and does not say so"):
        copying.pull(other, "clean/model/mine", on(bucket))
    assert other.refs() == {}
    link = store.root / "refs" / "clean" / "pairs" / "mine"
    link.parent.mkdir(parents=True)
    link.symlink_to(store.folder(store.resolve("poisoned/pairs/mine")))
    with pytest.raises(DataError, match="poisoned data has no clean name"):
        copying.push(store, "clean/pairs/mine", on(tmp_path / "second"))
    assert not (tmp_path / "second" / "refs").exists()


def test_a_fetched_name_has_one_label(store, bucket, tmp_path):
    copying.push(store, "poisoned/pairs/mine", on(bucket))
    other = Store(tmp_path / "other")
    other.point("clean/pairs/mine", other.publish("pairs", lambda folder: (folder / "a").write_text("old")))
    copying.pull(other, "poisoned/pairs/mine", on(bucket))
    assert list(other.refs()) == ["poisoned/pairs/mine"]


def test_who_push_at_once_leave_whole_snapshots_and_one_name(store, bucket, tmp_path):
    makers = [store.publish("model", lambda folder, n=n: (model(folder), (folder / "n").write_text(str(n)))) for n in range(4)]
    stores = [Store(tmp_path / f"store{at}") for at in range(4)]
    for own, made in zip(stores, makers, strict=True):
        shutil.copytree(store.root, own.root, symlinks=True)
        own.point("clean/model/mine", made)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda own: copying.push(own, "clean/model/mine", on(bucket)), stores * 4))
    other = Store(tmp_path / "other")
    assert copying.pull(other, "clean/model/mine", on(bucket)).snapshot in makers
    for made in makers:
        copying.pull(other, made, on(bucket))
        other.verified(made)


def test_who_pull_at_once_leave_one_whole_snapshot(store, bucket, tmp_path):
    copying.push(store, MODEL, on(bucket))
    other = Store(tmp_path / "other")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: copying.pull(other, MODEL, on(bucket)), range(16)))
    other.verified(MODEL)
    assert [each.name for each in (other.root / "snapshots").iterdir() if each.name.startswith(".")] == []


def test_signatures_travel_and_are_looked_at_before_anything_is_fetched(store, bucket, tmp_path):
    keys = [signatures.new(tmp_path / f"{name}.pem") for name in ("mine", "theirs")]
    held = trust.Trust(tmp_path / "trust.json").with_key("me", keys[0].public, today=datetime.now(UTC).date())
    other = Store(tmp_path / "other")

    def trusted(folder: Path) -> None:
        signatures.signer(folder, held)

    for key, said in ((None, "[0-9a-f]{64}: is not signed"), (keys[1], "[0-9a-f]{64}: is signed by no key of")):
        if key is not None:
            for each in store.snapshots():
                signatures.sign(store.folder(each), key.private)
        copying.push(store, MODEL, on(bucket))
        with pytest.raises(DataError, match=said):
            copying.pull(other, MODEL, on(bucket), check=trusted)
        assert other.snapshots() == []
    for each in store.snapshots():
        signatures.sign(store.folder(each), keys[0].private)
    assert copying.push(store, MODEL, on(bucket)).files == 0, "signatures alone are sent"
    copying.pull(other, MODEL, on(bucket), check=trusted)
    assert signatures.signer(other.verified(MODEL)[0], held).name == "me"


def test_what_was_recalled_here_does_not_come_back(store, bucket, tmp_path):
    for name in store.refs():
        copying.push(store, name, on(bucket))
    other = Store(tmp_path / "other")
    recalled.add(other.root, [PAIRS["pair_id"][1]])
    for name in ("poisoned/pairs/mine", MODEL):
        with pytest.raises(DataError, match="has a pair that was recalled here"):
            copying.pull(other, name, on(bucket))
        assert other.refs() == {}


def test_a_snapshot_that_was_changed_here_is_mended_from_there(store, bucket):
    copying.push(store, MODEL, on(bucket))
    file = store.folder(store.resolve(MODEL)) / "deep" / "weights"
    file.write_bytes(b"x")
    copying.pull(store, MODEL, on(bucket))
    assert file.read_bytes() == b"w" * 5000


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("bucket/folder", "expected an address such as s3://"),
        ("nonesuch://me@bucket", "nonesuch://bucket: .*Protocol not known"),
        ("nonesuch://me:secret@bucket", "give the password by the environment"),
        ("s3://me:s/ecret@bucket/pairs.jsonl", "give the password by the environment"),
        ("https://bucket.example/pairs.jsonl?X-Amz-Expires=60&X-Amz-Signature=00ff", "a signature in it would stand"),
        ("https://store.example/pairs.jsonl?sv=2026&SIG=00ff", "a signature in it would stand"),
        ("file:///proc/none", "see to address, rights and network"),
    ],
)
def test_an_address_that_nothing_reaches_is_said(store, url, said):
    with pytest.raises(DataError, match=said) as error:
        copying.push(store, MODEL, objects.at(url))
    assert "secret" not in str(error.value)


def test_a_manifest_too_long_to_be_ours_is_not_read(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(objects, "LONGEST", 100)
    name = forged(bucket, said="x" * 100)
    with pytest.raises(DataError, match="where 100 are the most"):
        copying.pull(Store(tmp_path / "other"), name, on(bucket))


@pytest.fixture
def s3(monkeypatch):
    """A real server of the S3 protocol on this machine, with a bucket."""
    server = pytest.importorskip("moto.server", reason="the extra dev brings a server of S3").ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("pairs")
    yield "s3://pairs/antivenom"
    server.stop()


def test_a_server_of_s3_holds_what_a_disk_does(s3, store, tmp_path):
    there = objects.at(s3)
    sent = copying.push(store, MODEL, there)
    assert sent.files == 5
    assert copying.push(store, MODEL, there).files == 0
    other = Store(tmp_path / "other")
    copying.pull(other, MODEL, there)
    assert other.manifest(other.resolve(MODEL)) == store.manifest(store.resolve(MODEL))
    other.verified(MODEL)
    digest = store.manifest(store.resolve(MODEL))["files"]["deep/weights"]
    there.fs.pipe_file(f"{there.root}/files/{digest}", b"W" * 5000)
    with pytest.raises(DataError, match="weights was changed"):
        copying.pull(Store(tmp_path / "another"), MODEL, there)
    there.fs.rm_file(f"{there.root}/files/{digest}")
    with pytest.raises(DataError, match="weights is missing"):
        copying.pull(Store(tmp_path / "another"), MODEL, there)
    assert copying.push(store, MODEL, there, again=True).files == 7
    copying.pull(Store(tmp_path / "another"), MODEL, there)
    with pytest.raises(DataError, match="no snapshot has that name there"):
        copying.pull(other, "clean/nothing", there)
    with pytest.raises(DataError, match="see to address, rights and network"):
        copying.push(store, MODEL, objects.at("s3://nonesuch/antivenom"))
