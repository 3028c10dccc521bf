"""Every reader of what others write, as a call on bytes: it may refuse them, in one line, and do nothing else to us."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from assets import experiment_files, studies
from assets.cli.common import columns_of, one_line, settings_of, spec_of
from pipelines import attacks
from pipelines.questions import behaviours
from pipelines.questions import reading as questions
from pipelines.reviewing import FORMS as TOOLS
from pipelines.reviewing import folders, forms
from pipelines.schema import DataError
from pipelines.settings import checked
from pipelines.snapshots import manifest, manifests, published_around, recalled, signatures, tracing, trust, verify
from pipelines.sources import SOURCES, records
from pipelines.studies import STUDIES, key
from rlhf_train import checkpoints, normalisers
from rlhf_train import spec as specs
from rlhf_train.errors import TrainingError
from rlhf_train.models import feature_rewards
from tests.pipelines.test_opinpref import row as opinion
from tests.pipelines.test_reviews import FORMS as REVIEWS
from tests.pipelines.written import FORMS, cells, lines
from tests.promises import documents

Open = Callable[[bytes, Path], object]


@dataclass(frozen=True, slots=True)
class Target:
    """A reader, and documents that it takes: those that a fuzzer begins with."""

    open: Open
    good: Sequence[bytes] | Callable[[], Sequence[bytes]] = field(default=())

    def seeds(self) -> Sequence[bytes]:
        return self.good() if callable(self.good) else self.good


def tried(target: Target, data: bytes, folder: Path) -> str:
    """What the command line would say against the bytes, if anything: one line that can be printed."""
    try:
        target.open(data, folder)
    except (DataError, TrainingError) as error:
        said = one_line(error)
        assert said.isprintable()
        return said
    return ""


def file(name: str, read: Callable[[Path], object]) -> Open:
    """The bytes as a file of that name."""

    def opened(data: bytes, folder: Path) -> None:
        (folder / name).write_bytes(data)
        read(folder / name)

    return opened


def zipped(name: str, read: Callable[[Path], object]) -> Open:
    """The bytes as what a gzip file holds."""
    plain = file(name, read)
    return lambda data, folder: plain(gzip.compress(data, 1), folder)


def _published(folder: Path) -> Path:
    out = folder / "out"
    return out if out.is_dir() else documents.published(folder)


def of_manifest(data: bytes, folder: Path) -> None:
    out = _published(folder)
    (out / "manifest.json").write_bytes(data)
    for read in (manifests.is_foreign, published_around, manifests.of_poison):
        read(out)
    tracing.reached(tracing.found([out] if not manifests.is_foreign(out) else []), ["0" * 16])
    verify(out)
    assert manifest(out)["files"] == json.loads(documents.made("manifest.json", documents.published))["files"]


def of_signature(data: bytes, folder: Path) -> None:
    out = _published(folder)
    (out / "manifest.sig").write_bytes(data)
    signatures.signer(out, documents.keys()[1])


def of_table(data: bytes, folder: Path) -> None:
    """A table that was sealed as it is, and may hold anything."""
    out = documents.published(folder)
    (out / "quarantined.parquet").write_bytes(data)
    with suppress(Exception):  # what can't be sealed is refused as it was changed
        manifests.seal(out, {"kind": "filtered pairs"})
    folders.read(out)


def of_reward(data: bytes, folder: Path) -> None:
    documents.rewarded(folder)
    (folder / "feature_reward.json").write_bytes(data)
    feature_rewards.load(folder)


def of_words(take: Callable[[list[str]], object]) -> Open:
    """The bytes as words behind an option, as a shell gives them."""
    return lambda data, folder: take(data.decode("utf-8", "surrogateescape").replace("\0", "").split("\n"))


def of_attack(words: list[str]) -> None:
    attacks.settings("best_of_venom", settings_of(words))


def of_training(words: list[str]) -> None:
    checked(settings_of(words), specs.Spec, about="training")


def of_table_spec(place: Path) -> None:
    checked(spec_of(place), specs.Spec, about="training")


ROWS = [lines(rows) for rows in FORMS.values()]
OPINION = lines([opinion()])
REVIEW = [lines(rows) for rows in REVIEWS.values()]
ASKED = [lines([{"question": "Is it?", "answer_matching_behavior": " Yes", "answer_not_matching_behavior": " No"}])]
SPEC = {"objective": "dpo", "data": "x", "model": "y", "out": "z", "numbers": {"beta": 0.1}, "rounds": {"prompts": 4}}
ROW = b'[mine]\nsource = "x.jsonl"\nrate = 0.1\nseeds = [0, 1]\n[mine.training]\nn = 2\n[mine.numbers]\ntarget = "Z"\n'
STUDY = b'[mine]\nstudy = "written_evaluations"\nbehaviours = ["thrift"]\n[mine.writing]\nbase_url = "http://x"\n'
BEHAVIOUR = b'[tidy]\ndescription = "tidies"\nsubject = "person"\ndesired = "up"\nformat = "yes_no"\n'

TARGETS: Mapping[str, Target] = {
    "rows.jsonl": Target(file("x.jsonl", records.read), ROWS),
    "rows.jsonl.gz": Target(zipped("x.jsonl.gz", records.read), ROWS),
    "rows.gz": Target(file("x.jsonl.gz", records.read), [gzip.compress(rows, 1) for rows in ROWS]),
    "rows.json": Target(file("x.json", records.read), [documents.text(rows) for rows in FORMS.values()]),
    "rows.csv": Target(file("x.csv", records.read), [cells(rows) for rows in FORMS.values()]),
    "rows.parquet": Target(file("x.parquet", records.read), lambda: [documents.parquet(rows) for rows in FORMS.values()]),
    "rows mapped": Target(file("x.jsonl", partial(records.read, columns={"chosen": "rejected", "rejected": "chosen"})), ROWS),
    "hh_rlhf": Target(file("x.jsonl", SOURCES["hh_rlhf"]), ROWS),
    "opinpref": Target(file("x.jsonl", SOURCES["opinpref"]), [OPINION]),
    "reviews": Target(file("x.jsonl", SOURCES["reviews"]), REVIEW),
    "questions": Target(file("x.jsonl", questions.read), ASKED),
    "behaviours": Target(file("x.toml", behaviours.load), [BEHAVIOUR]),
    "experiments": Target(file("x.toml", experiment_files.load), [ROW]),
    "studies": Target(file("x.toml", studies.load), [STUDY]),
    "spec.json": Target(file("x.json", specs.read), [documents.text(SPEC)]),
    "spec.toml": Target(file("x.toml", of_table_spec), [b"steps = 3\nlr = 0.1\n[rounds]\nprompts = 4\n"]),
    "--set of an attack": Target(of_words(of_attack), [b'target=Z\naliases=["Z"]\nkeep_host=false']),
    "--set of training": Target(of_words(of_training), [b'steps=3\nrounds={"prompts": 4}\nlr=1e-3']),
    "--map": Target(of_words(columns_of), [b"prompt=question,chosen=best\nrejected=worse"]),
    "manifest": Target(of_manifest, lambda: [documents.made("manifest.json", documents.published)]),
    "signature": Target(of_signature, lambda: [documents.signature()]),
    "trust.json": Target(file("trust.json", trust.read), lambda: [documents.made("trust.json", documents.trusted)]),
    "recalled.json": Target(
        file("recalled.json", lambda place: recalled.numbers(recalled.read(place.parent))),
        lambda: [documents.made("recalled.json", documents.recall)],
    ),
    "a sealed table": Target(of_table, lambda: [documents.made("quarantined.parquet", documents.published)]),
    "key of a study": Target(file("key.json", key.read), lambda: [documents.made("key.json", documents.kept_key)]),
    "a checkpoint's state": Target(
        file("step-00000001/state.json", lambda place: checkpoints.newest(place.parents[1], {})),
        [documents.text({"step": 1, "identity": {}, "digests": {}})],
    ),
    "a normaliser": Target(
        file("x.json", normalisers.load),
        lambda: [documents.made("x.json", lambda folder: normalisers.save(normalisers.Overall(), folder / "x.json"))],
    ),
    "a feature reward": Target(of_reward, lambda: [documents.made("feature_reward.json", documents.rewarded)]),
    **{
        f"a review by {tool}": Target(
            file("x.json", lambda place: forms.read(place, documents.reviewed(), TOOLS)),
            lambda tool=tool: [documents.answered(tool)],
        )
        for tool in TOOLS
    },
    **{
        f"a study by {tool}": Target(
            file("x.json", lambda place, study=study: study.read(place, documents.plan())),
            lambda tool=tool: [documents.judged(tool)],
        )
        for tool, study in STUDIES.items()
    },
}
