"""Names that lead elsewhere, and links in published folders, wherever a name comes from others; and keys that prove nothing."""

import json
import os

import pytest

from assets import experiment_files, partitions
from pipelines.schema import DataError
from pipelines.snapshots import Store, manifests, signatures, staged, tracing, trust, verify
from pipelines.sources import records
from tests.assets.conftest import rows

LEADING = ["../secret.txt", "/etc/passwd", "deep/../../secret.txt", "..", "deep/.."]
ODD = ["a\0b", "\ud800", "x" * 300, "deep/" * 2000 + "x", "", ".", "deep//x", "./a.txt"]


def publish(folder, text="one"):
    with staged(folder, "letters") as aside:
        (aside / "deep").mkdir()
        (aside / "deep" / "a.txt").write_text(text)
    return folder


def sealed(folder, **facts):
    """The folder with other facts, under a digest that fits them: as whoever made it may write it."""
    told = {**json.loads((folder / "manifest.json").read_text()), **facts}
    told["snapshot"] = manifests.digest_of_facts({name: value for name, value in told.items() if name != "snapshot"})
    (folder / "manifest.json").write_text(json.dumps(told))


@pytest.mark.parametrize("part", ["files", "tables"])
@pytest.mark.parametrize("name", [*LEADING, *ODD])
def test_a_manifest_that_names_what_is_no_file_of_its_folder_is_refused(name, part, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    folder = publish(tmp_path / "out")
    sealed(folder, **{part: {name: manifests.digest_of(tmp_path / "secret.txt") if part == "files" else {}}})
    with pytest.raises(DataError):
        verify(folder)
    tracing.reached(tracing.found([tmp_path / "out"]) if manifests.is_published(folder) else [], ["0" * 16])


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/hostname", "deep/a.txt"])
def test_a_link_in_a_published_folder_is_refused_though_its_content_fits(target, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    folder = publish(tmp_path / "out")
    (folder / "link.txt").symlink_to(target)
    sealed(folder, files=dict.fromkeys(["link.txt"], manifests.digest_of(folder / "link.txt")))
    with pytest.raises(DataError, match=r"link\.txt: is a link"):
        verify(folder)


def test_a_folder_that_is_a_link_is_no_way_around(tmp_path):
    folder = publish(tmp_path / "out")
    publish(tmp_path / "theirs")
    (folder / "deep").rename(tmp_path / "deep")
    (folder / "deep").symlink_to(tmp_path / "theirs" / "deep")
    with pytest.raises(DataError, match=r"deep: "):
        verify(folder)


@pytest.mark.parametrize("name", ["../x", "a/../x", "/x", ".x", "", "x" * 300, "a\0", "deep/" * 1000 + "x"])
def test_a_name_that_no_ref_can_have_is_refused_in_words(name, tmp_path):
    store = Store(tmp_path / "store")
    made = store.publish("letters", lambda folder: (folder / "a.txt").write_text("a"))
    for use in (
        lambda: store.point(f"clean/{name}", made),
        lambda: store.resolve(f"clean/{name}"),
        lambda: store.point(name, made),
    ):
        with pytest.raises(DataError):
            use()
    assert not store.refs()


def test_a_ref_that_leads_out_of_the_store_names_nothing(tmp_path):
    store = Store(tmp_path / "store")
    made = store.publish("letters", lambda folder: (folder / "a.txt").write_text("a"))
    store.point("clean/x", made)
    link = tmp_path / "store" / "refs" / "clean" / "x"
    other = Store(tmp_path / "other").publish("letters", lambda folder: (folder / "a.txt").write_text("b"))
    for target in (tmp_path / "other" / "snapshots" / other, "/etc", "/"):
        link.unlink()
        link.symlink_to(target)
        with pytest.raises(DataError):
            store.verified("clean/x")


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", ".x", "", "x" * 101, "a\u202eb", "a\nb", "é"])
def test_a_row_whose_name_is_no_partition_is_refused(name, tmp_path):
    (tmp_path / "rows.toml").write_text(f'[{json.dumps(name)}]\nsource = "x.jsonl"\n[good]\nsource = "y.jsonl"\n')
    found, refused = partitions.accepted(experiment_files.load(tmp_path / "rows.toml")[0])
    assert list(found) == ["good"]
    assert "a name is letters, digits" in refused[0]


def test_names_within_archives_lead_nowhere(tmp_path):
    import gzip
    import zipfile

    import numpy as np

    from checks.memory import Memory

    with open(tmp_path / "x.jsonl.gz", "wb") as raw, gzip.GzipFile("../../evil.jsonl", "wb", fileobj=raw) as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows(3)).encode())
    assert len(records.read(tmp_path / "x.jsonl.gz").pairs) == 3
    kept = tmp_path / "kept" / "ones"
    kept.mkdir(parents=True)
    with zipfile.ZipFile(kept / "bad.npz", "w") as archive:
        archive.writestr("../../evil.npy", b"x")
    assert Memory(tmp_path / "kept", lambda texts: np.ones((len(texts), 2)), name="ones")(["a"]).shape == (1, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "x.jsonl.gz"]


def test_a_link_and_a_pipe_in_a_folder_of_rows_keep_nobody_waiting(tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(3)))
    (folder / "round").symlink_to(folder)
    (folder / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.jsonl")
    assert len(records.read(folder).pairs) == 3
    with pytest.raises(DataError):
        records.read(folder / "pipe.jsonl")


KEYS = {
    "expired": {"since": "2020-01-01", "until": "2020-02-01"},
    "revoked": {"revoked": True},
    "not yet": {"since": "2999-01-01"},
}


SAID = {
    "expired": "expired on 2020-02-01",
    "revoked": "was revoked",
    "not yet": "trusted from 2999-01-01",
    "unknown": "by no key of",
}


@pytest.fixture(scope="module")
def signed(apart, tmp_path_factory):
    """A folder of filtered pairs that a trusted key signed, and where the key and the trust are."""
    folder = tmp_path_factory.mktemp("signed")
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(40)))
    given = {"ANTIVENOM_HOME": str(folder / "home"), "ANTIVENOM_KEY": str(folder / "us.pem")}
    for words in (
        ("keys", "new", "us", "--out", "us.pem"),
        ("audit", "pairs.jsonl", "--out", "audit", "--detectors", "phrase_lift"),
        ("filter", "pairs.jsonl", "--scores", "audit", "--out", "out"),
        ("verify", "out"),
    ):
        assert apart(*words, below=folder, **given).code == 0
    return folder, given, json.loads((folder / "home" / "trust.json").read_text())["keys"]


@pytest.mark.parametrize("why", SAID)
def test_training_refuses_what_no_key_of_today_signed(why, apart, signed):
    folder, given, [key] = signed
    stranger = {} if why in KEYS else {"public": signatures.new(folder / "them.pem").public}
    trust.Trust(folder / "home" / "trust.json", (trust.Key(**{**key, **KEYS.get(why, {}), **stranger}),)).write()
    train = ("train", "sft", "--data", "out/kept.parquet", "--out", "policy", "--set", "steps=1")
    for words in (("verify", "out"), train):
        ended = apart(*words, below=folder, **given)
        assert ended.code == 2, words
        [line] = ended.err.strip().splitlines()
        assert SAID[why] in line
    assert not (folder / "policy").exists()
