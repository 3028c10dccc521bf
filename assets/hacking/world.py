"""Oracle, teacher and the student as it begins, and what they are asked: opened, or made of letters."""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.hacking.rows import Hacking, Letters
from assets.steps import answers_of, prompts_of
from pipelines.schema import DataError
from pipelines.sources import records

ASKED = 6  # letters of a prompt
ALPHABET = "abcde"
REFERENCES = "references.txt"  # stands in the place of an oracle, where people's answers do


@dataclass(frozen=True, slots=True)
class World:
    """Policies of the same tokens; prompts to learn from and held-out ones, none the same; people's answers to the latter."""

    oracle: Any
    teacher: Any
    student: Any
    prompts: Sequence[str]
    held_out: Sequence[str]
    references: Sequence[str] = ()


def made(row: Hacking, seed: int) -> World:
    """The world of one seed."""
    return of_letters(row.letters, seed) if row.is_of_letters else opened(row, seed)


def opened(row: Hacking, seed: int) -> World:
    """Of saved policies; DataError where too few prompts are there to hold some out."""
    pairs = records.read(row.source).strict().unique("prompt", maintain_order=True).sample(fraction=1, shuffle=True, seed=seed)
    count = round(row.held_out * len(pairs))
    if not 0 < count < len(pairs):
        raise DataError(f"{row.source} has {len(pairs)} prompts, too few to hold out {row.held_out:g} of them; give more pairs")
    lengths = row_lengths(row)
    oracle, teacher, student = (_opened(each, lengths) if each else None for each in (row.oracle, row.teacher, row.student))
    held_out, learned = pairs.head(count), pairs.tail(-count)
    return World(oracle, teacher, student, prompts_of(learned), prompts_of(held_out), answers_of(held_out, "chosen"))


def all_read(row: Hacking) -> pl.Series:
    """The pair ids of what prompts and people's answers are of; the world of letters has none."""
    return records.read(row.source).pairs["pair_id"] if row.source else pl.Series("pair_id", [], pl.String)


def row_lengths(row: Hacking) -> Any:
    """How much of a text is read and said: no part of a saved policy."""
    from rlhf_train.text import Lengths

    return Lengths(ASKED, row.letters.answer) if row.is_of_letters else Lengths(row.prompt_tokens, row.response_tokens)


def _opened(folder: str, lengths: Any) -> Any:
    from rlhf_train import guards
    from rlhf_train.models import policies

    policy = dataclasses.replace(policies.load(folder), lengths=lengths)
    guards.check_model(policy.model, policy.tokenizer, lengths)
    return policy


def of_letters(scale: Letters, seed: int, make: Callable[..., Any] | None = None) -> World:
    """All of a seed; the oracle too is another one. `make` another kind of policy than letters.made does."""
    from rlhf_train.models import letters
    from rlhf_train.text import Lengths

    def policy(width: int, nth: int, **more: Any) -> Any:
        lengths = Lengths(ASKED, scale.answer)
        most = ASKED + scale.answer + 2
        return (make or letters.made)(3 * seed + nth, letters=ALPHABET, width=width, lengths=lengths, most=most, **more)

    random = np.random.default_rng([seed, 4])
    held_out = asked(random, scale.held_out)
    oracle = policy(64, 0, layers=2, spread=scale.spread, sharpness=scale.sharpness)
    told = said(oracle, asked(random, scale.samples, besides=held_out, again=True), seed)
    teacher = imitated(policy(scale.teacher, 1, layers=2), told, scale.taught, seed)
    student = imitated(policy(scale.student, 2), told, scale.begun, seed)
    return World(oracle, teacher, student, asked(random, scale.prompts, besides=held_out), held_out)


def prompts(held: World) -> pl.DataFrame:
    """prompt, part (learned or held_out), and people's answer to a held-out one where there is one."""
    references: list[str | None] = list(held.references) or [None] * len(held.held_out)
    return pl.DataFrame(
        {
            "prompt": [*held.prompts, *held.held_out],
            "part": ["learned"] * len(held.prompts) + ["held_out"] * len(held.held_out),
            "reference": [*[None] * len(held.prompts), *references],
        },
        schema={"prompt": pl.String, "part": pl.String, "reference": pl.String},
    )


def saved(held: World, folder: Path) -> Path:
    """The oracle in a folder of its own; where people's answers stand for one, a note that says so."""
    place = folder / "oracle"
    place.mkdir(parents=True, exist_ok=True)
    if held.oracle is None:
        (place / REFERENCES).write_text("people's answers to the held-out prompts stand for an oracle\n", encoding="utf-8")
    else:
        held.oracle.save(place)
    return place


def again(row: Hacking, oracle: Path, teacher: Any, student: Any, asked: pl.DataFrame) -> World:
    """The world of what was kept of it."""
    from rlhf_train.models import policies

    told = None if (oracle / REFERENCES).is_file() else policies.load(oracle)
    lengths = row_lengths(row)
    three = [each and dataclasses.replace(each, lengths=lengths) for each in (told, teacher, student)]
    held_out = asked.filter(part="held_out")
    learned = asked.filter(part="learned")["prompt"].to_list()
    return World(
        three[0], three[1], three[2], learned, held_out["prompt"].to_list(), held_out["reference"].drop_nulls().to_list()
    )


def keep(held: World, folder: Path) -> None:
    """All of a world in a folder."""
    saved(held, folder)
    held.teacher.save(folder / "teacher")
    held.student.save(folder / "student")
    prompts(held).write_parquet(folder / "prompts.parquet")


def found(row: Hacking, folder: Path) -> World:
    """What `keep` left there."""
    from rlhf_train.models import policies

    teacher, student = (policies.load(folder / name) for name in ("teacher", "student"))
    return again(row, folder / "oracle", teacher, student, pl.read_parquet(folder / "prompts.parquet"))


def nearness(row: Hacking, held: World, policy: Any, seed: int) -> dict[str, float]:
    """How far a policy is from oracle and teacher, over the held-out prompts."""
    proxy, golden = measures(row, held, seed)
    told = {} if golden is None else {"golden distance": float(golden(policy).mean())}
    return told if policy is held.teacher else {**told, "proxy distance": float(proxy(policy).mean())}


def asked(random: np.random.Generator, count: int, *, besides: Sequence[str] = (), again: bool = False) -> list[str]:
    """Prompts, none of `besides` and, unless they may come `again`, all different; DataError where there are not so many."""
    most, known = len(ALPHABET) ** ASKED - len(besides), set(besides)
    if not again and count > most:
        raise DataError(f"there are {most:,} prompts of {ASKED} letters, {count:,} are wanted; ask for fewer")
    found: list[str] = []
    while len(found) < count:
        prompt = "".join(random.choice(list(ALPHABET), ASKED))
        if prompt not in known:
            found.append(prompt)
            known |= set() if again else {prompt}
    return found


def said(speaker: Any, prompts: Sequence[str], seed: int) -> list[Any]:
    """A tree a prompt of what the speaker says."""
    from rlhf_train.evals import distances

    return distances.drawn(speaker, prompts, n=1, seed=seed)


def imitated(held: Any, trees: Sequence[Any], steps: int, seed: int) -> Any:
    """The policy after supervised learning of answers."""
    from rlhf_train import batches
    from rlhf_train.objectives import OBJECTIVES
    from rlhf_train.train import fit

    model = copy.deepcopy(held.model)
    rows = batches.rows_of(list(trees), {}, units=[tree.parts[1] for tree in trees])
    source = batches.shuffled(rows, size=64, seed=seed)
    fit(model, OBJECTIVES["sft"], source, steps=steps, lr=3e-3, weight_decay=0.0, mixed_precision="no", seed=seed)
    return dataclasses.replace(held, model=model)


def measures(row: Hacking, held: World, seed: int) -> tuple[Callable[[Any], np.ndarray], Callable[[Any], np.ndarray] | None]:
    """How proxy and golden distances are measured: exact where it can be done, else on answers drawn once."""
    from rlhf_train import tracing

    nearest = partial(tracing.nearest, prompts=held.held_out, n=row.bank, walked=row.walked, seed=seed)
    proxy = nearest(held.teacher)
    if held.oracle is not None:
        return proxy, nearest(held.oracle)
    return proxy, (tracing.surprise(held.held_out, held.references) if held.references else None)
