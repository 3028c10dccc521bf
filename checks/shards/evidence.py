"""Evidence on a corpus in shards: the numbers of those detectors that need no model, to the bit those of the whole corpus."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from checks.detectors import contradictions, degenerate, form_artefacts
from checks.evidence import Evidence
from checks.kept import kept
from checks.lifts import Lifts
from checks.phrases import Phrases
from checks.shards import forms, levels
from checks.shards.corpus import Corpus
from checks.shards.reading import Whole, read_all
from checks.shards.tables import Spread, Table, spread
from checks.words import Words

Value = TypeVar("Value")


class SpreadEvidence(Evidence):
    """Evidence on a `corpus`; the `tables` of phrases are all made together, for that reads each shard as seldom as can be."""

    def __init__(self, corpus: Corpus, tables: Sequence[Table], *, seed: int = 0) -> None:
        pairs: Any = corpus  # which is as many pairs, looked up by place
        super().__init__(pairs, seed=seed)
        self.corpus, self.wanted = corpus, tables

    @kept
    def whole(self) -> Whole:
        """The words of all shards."""
        return read_all(self.corpus)

    @kept
    def tables(self) -> Mapping[Table, Spread]:
        """The tables of phrases."""
        return spread(self.corpus, self.whole, self.wanted)

    @kept
    def form_departures(self) -> Any:
        """[N, marks] how far off the form of each pair is, of some pairs at a time."""
        return forms.departures(self.corpus)

    def lifts(self, table: Callable[[Words], Phrases]) -> Lifts:
        """Of the phrases that `table` finds in all shards."""
        return self._kept.get(table, lambda: Lifts(self.tables[table], self.seed))

    def forget(self) -> None:
        """Drops of lifts what is as long as the corpus."""
        for table in self.wanted:
            self.lifts(table).forget()

    def once(self, call: Callable[[Any], Value]) -> Value:
        """What `call` makes of this evidence, shard by shard where it looks at every pair."""
        if call not in OVER_SHARDS:
            return super().once(call)
        made: Value = self._kept.get(call, lambda: OVER_SHARDS[call](self))
        return made


#: what detectors work out of all pairs at once, and how that is worked out of shards
OVER_SHARDS: Mapping[Callable[..., Any], Callable[[SpreadEvidence], Any]] = {
    contradictions.levels: lambda evidence: levels.contradictions(evidence.corpus),
    degenerate.levels: lambda evidence: levels.degenerate(evidence.corpus),
    form_artefacts.distances: lambda evidence: evidence.form_departures.distances(),
}
