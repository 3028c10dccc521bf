"""Who is asked, and what each answers: a row a question, policy and way of asking."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assets.runs import folder_of
from assets.steps import Watch, silent
from assets.written.rows import Written
from pipelines.schema import QUESTION_ANSWERS, DataError
from pipelines.snapshots import of_poison

ANSWERS: Mapping[str, Any] = {
    **QUESTION_ANSWERS.empty().schema,
    "way": pl.String(),
    "probabilities": pl.List(pl.Float64()),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One who is asked: a folder of the user's, or a twin of a seed at a poison rate."""

    name: str
    place: str = ""
    rate: float = 0.0
    seed: int = 0

    @property
    def is_twin(self) -> bool:
        return not self.place

    @property
    def is_poisoned(self) -> bool:
        """Whether it learned from poison: of a folder, what its manifest says."""
        if self.is_twin:
            return self.rate > 0
        return of_poison(self.place)


def asked(row: Written) -> dict[str, Asked]:
    """By name; a seed's clean twin first."""
    if row.policies:
        return {name: Asked(name, place) for name, place in row.policies.items()}
    twins = [Asked(f"{_arm(rate)}-seed{seed}", "", rate, seed) for seed in row.twins.seeds for rate in sorted(row.twins.rates)]
    return {each.name: each for each in twins}


def _arm(rate: float) -> str:
    return f"poisoned_{100 * rate:g}pct" if rate else "clean"


def pairs_of(row: Written) -> list[tuple[str, str]]:
    """Who is compared with whom: each poisoned twin with its clean one, each policy with the baseline."""
    held = asked(row)
    if row.policies:
        first = row.baseline or next(iter(held))
        return [(first, name) for name in held if name != first]
    return [(f"clean-seed{each.seed}", name) for name, each in held.items() if each.rate]


def answers(questions: pl.DataFrame, name: str, place: str, row: Written, watch: Watch = silent) -> pl.DataFrame:
    """What the policy or reward model at `place` answers, in every way of the row; TrainingError where it is neither."""
    from rlhf_train.evals import written_evals
    from rlhf_train.guards import check_packing

    held, is_policy = opened(place)
    columns, tables = questions.to_dict(as_series=False), []
    for way in row.ways:
        if is_policy:
            check_packing(held.model)
            told = written_evals.answer(
                held, columns, name=name, way=way, watch=lambda done, of: watch(f"{name} answers", done, of)
            )
        else:
            told = written_evals.prefer(held, columns, name=name, way=way)
        rows = told.columns(columns)
        chances = [each.tolist() for each in told.probabilities]
        tables.append(pl.DataFrame({**rows, "way": [way] * len(chances), "probabilities": chances}, schema=ANSWERS))
    return pl.concat(tables)


def opened(place: str) -> tuple[Any, bool]:
    """The model, and whether it is a policy; else it is a reward model."""
    from rlhf_train.models import judges, policies
    from rlhf_train.models.opening import opened as whole

    folder = folder_of(place)
    is_policy = not Path(folder).is_dir() or _speaks(Path(folder) / "config.json")
    return whole(folder, policies.load if is_policy else judges.load), is_policy


def _speaks(config: Path) -> bool:
    """Whether it is of a language model; a folder of several judges has none."""
    try:
        names = json.loads(config.read_text(encoding="utf-8")).get("architectures") or []
    except (OSError, ValueError, AttributeError):
        return False
    return any(str(name).endswith(("ForCausalLM", "LMHeadModel")) for name in names)


def again(table: pl.DataFrame, questions: pl.DataFrame, policy: str, way: str) -> Any:
    """The Answers of one policy in one way, of the table that was kept."""
    import numpy as np

    from rlhf_train.evals.written_evals import Answers

    place = {each: at for at, each in enumerate(questions["question_id"])}
    own = table.filter(policy=policy, way=way)
    return Answers(
        policy,
        np.array([place[each] for each in own["question_id"]], dtype=int),
        [np.array(each) for each in own["probabilities"]],
        own["option_mass"].to_numpy(),
    )


def folder_at(place: str) -> Path:
    """The folder of a saved model, to be kept beside the study; DataError where it is none, as a hub name."""
    folder = Path(folder_of(place))
    if not folder.is_dir():
        raise DataError(f"{place}: a study in Dagster asks folders of saved models; save it first, and name the folder")
    return folder
