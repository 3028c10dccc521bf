"""Where tables, pages and models are kept: a published folder an asset and partition, held to its digests when read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets import gate
from assets.experiments import Corpus
from assets.formats import FORMATS
from assets.metadata import MADE_OF, columns_found, rows_of
from assets.partitions import BASES, CORPORA, EXPERIMENTS, RUNS
from assets.places import home
from assets.provenance import WHOLE, card, learners, made_of
from assets.study_partitions import EVALUATED
from pipelines.schema import DataError
from pipelines.snapshots import Store, recalled
from pipelines.snapshots.names import CLEAN, DELIVERED, FILTERED, LABELS, POISONED
from pipelines.snapshots.tracing import has_weights

SETTINGS = "antivenom/settings"  # a run's tag: what decides what it makes


class Snapshots(dg.IOManager):
    """A store under ANTIVENOM_HOME, else under .antivenom in DAGSTER_HOME, else in this folder.

    What comes of a poisoned corpus says so in its manifest and its name; a table that failed a blocking check is refused to
    all, and a pair that was recalled is in none. The digest of a snapshot's files is its version in Dagster.
    """

    def __init__(self) -> None:
        self._read: dict[str, dict[str, str]] = {}  # by step: what it was given, and the snapshot that this was

    @property
    def store(self) -> Store:
        """Where it all is."""
        return Store(home())

    def ref(self, asset: str, partition: str) -> str:
        """The name of what was published last for one partition; of one that is not there yet, a clean one."""
        names = [f"{label}/{asset}/{partition}" for label in LABELS]
        refs = self.store.refs(*names)
        return next((name for name in names if name in refs), names[0])

    def place(self, asset: str, partition: str) -> Path:
        """The folder of one partition of an asset, by its name: a link that the next one moves."""
        return home() / "refs" / self.ref(asset, partition)

    def told(self, asset: str, partition: str) -> Mapping[str, Any] | None:
        """The manifest of what may be built on; none where nothing was published, or where a check holds it back."""
        ref = self.ref(asset, partition)
        held = self._note(asset, partition).is_file() or ref not in self.store.refs(ref)
        return None if held else self.store.manifest(self.store.resolve(ref))

    def read(self, asset: str, partition: str) -> Any:
        """What was published for one partition; DataError if nothing was, or if a file has changed since."""
        return self._open(asset, partition)[1]

    def judge(self, asset: str, partition: str, *, held: str = "") -> None:
        """Holds a partition back from whoever would build on it, for the reason given, or sets it free."""
        note = self._note(asset, partition)
        if held:
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(held, encoding="utf-8")
        else:
            note.unlink(missing_ok=True)

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Publishes a value and moves its name to it, free until a check holds it, and tells people what was published."""
        asset, kind = context.asset_key.to_user_string(), type(obj).__name__
        if isinstance(obj, pl.DataFrame):
            obj = recalled.without(obj, home())
        partition = context.partition_key if context.has_partition_key else WHOLE
        given, form = self._read.get(_step(context), {}), FORMATS[kind]
        facts = {
            "partition": partition,
            "format": kind,
            "poisoned": is_poisoned(partition),
            "inputs": given,
            "settings": context.step_context.dagster_run.tags.get(SETTINGS, ""),
        }
        outside = context.output_metadata.get(MADE_OF)
        snapshot = self.store.publish(
            asset,
            lambda folder: form.write(obj, folder / form.file),
            facts,
            parents=given.values(),
            inputs=list(outside.value or ()) if isinstance(outside, dg.JsonMetadataValue) else [],
        )
        found = self.store.manifest(snapshot)
        self.store.label(_label(partition, bool(found["poisoned"])), f"{asset}/{partition}", snapshot)
        self.judge(asset, partition)
        context.step_context.set_data_version(context.asset_key, dg.DataVersion(found["content"]))
        place = self.place(asset, partition)
        told = dg.MetadataValue.path(str(place / form.file if (place / form.file).exists() else place))
        context.add_output_metadata({"place": told, "snapshot": snapshot, "poisoned": found["poisoned"]})
        context.add_output_metadata(made_of(given, self.store))
        if isinstance(obj, pl.DataFrame):
            context.add_output_metadata({"dagster/row_count": len(obj), "first rows": rows_of(obj, count=5)})
            context.add_output_metadata(columns_found(obj, context.definition_metadata))
        elif has_weights(found):
            context.add_output_metadata(card(asset, partition, found))
            for observation in learners(asset, partition, given, snapshot):
                context.log_event(observation)

    def load_input(self, context: dg.InputContext) -> Any:
        """The one upstream partition, or name -> value where an asset reads several."""
        asset = context.asset_key.to_user_string()
        values = {}
        for partition in context.asset_partition_keys if context.has_asset_partitions else [WHOLE]:
            if (note := self._note(asset, partition)).is_file():
                raise DataError(f"{asset} of {partition} is held back: {note.read_text(encoding='utf-8')}; mend and remake it")
            snapshot, values[partition] = self._open(asset, partition)
            self._read.setdefault(_step(context), {})[f"{asset}/{partition}"] = snapshot
        return values if len(values) != 1 else next(iter(values.values()))

    def _open(self, asset: str, partition: str) -> tuple[str, Any]:
        ref = self.ref(asset, partition)
        if not (home() / "refs" / ref).is_dir():
            raise DataError(f"{asset} of {partition} is not there yet ({home() / 'refs' / ref}); materialize it first")
        folder, found = self.store.verified(ref)
        gate.check_snapshot(folder)
        form = FORMATS[found["format"]]
        return found["snapshot"], form.read(folder / form.file)

    def _note(self, asset: str, partition: str) -> Path:
        return home() / "held" / asset / partition


def _step(context: dg.InputContext | dg.OutputContext) -> str:
    try:
        return f"{context.step_context.run_id}/{context.step_context.step.key}"
    except dg.DagsterInvariantViolationError:  # somebody reads an asset outside a run
        return ""


def _label(partition: str, poisoned: bool) -> str:
    corpus = _corpus_of(partition)
    if corpus is not None and corpus.arm == FILTERED:
        return FILTERED
    if poisoned:
        return POISONED
    corpus = corpus or BASES.get(partition)
    row = corpus.experiment if corpus is not None else EXPERIMENTS.get(partition)
    return CLEAN if row is None or row.is_attacked else DELIVERED


def is_poisoned(partition: str) -> bool:
    """Whether our attack was on it: every arm but the clean one, the filtered one too, unless there is no attack."""
    if partition in EVALUATED:
        return EVALUATED[partition][1].is_poisoned
    corpus = _corpus_of(partition)
    return corpus is not None and corpus.experiment.is_attacked and corpus.arm != CLEAN


def _corpus_of(partition: str) -> Corpus | None:
    return RUNS[partition][1] if partition in RUNS else CORPORA.get(partition)
