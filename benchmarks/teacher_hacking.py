"""Teacher hacking: does a student that comes closer to its teacher move away from the oracle, and on whose answers?

    python benchmarks/teacher_hacking.py {exact,text,long,windows} [--seeds 0 1 2] [--steps N] [--arms ...] [--kept DIR]

Every arm of a seed begins with the same student and teacher; told are the golden distance KL(oracle || student), its
least and its last, the proxy distance KL(teacher || student) at both, and where the proxy departs from its power law.
`--losses` repeats two arms with the other divergences. The long world's sharpness, prompts and steps were settled on seeds 10
and 11, after two arms of seeds 0 and 1 in a world less sharp.
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import _report
import _windows
import numpy as np
import polars as pl
import torch

from assets.hacking import pictures, study, verdicts, world
from assets.hacking.rows import ARMS, CONTROL, DIVERGENCES, TEXT, Hacking, Letters
from rlhf_train.evals.intervals import interval

MAIN = ("stored_1", "fifth_of_the_prompts", "stored_5", "fresh_teacher")  # what the criteria are of
LONG = Letters(answer=8, sharpness=6.0, teacher=128, prompts=300, held_out=300)
SHORT = Letters(prompts=300, held_out=24)
WINDOWS = Letters(
    answer=6, spread=2.0, samples=60_000, teacher=256, taught=4000, student=48, begun=100, prompts=1000, held_out=300
)
WORLDS = {  # answers of four letters, whose prefixes are all walked; of eight, over a bank of answers drawn once
    "exact": Hacking(letters=SHORT, steps=3000),
    "text": Hacking(letters=SHORT, steps=2000, divergence=TEXT),  # a teacher that tells no laws
    "windows": Hacking(letters=WINDOWS, bank=4, walked=0, steps=8000),  # policies without attention
    "long": Hacking(letters=LONG, bank=4, steps=6000),
}
PAIRED = ("stored_1", "fresh_teacher")


def criteria(found: pl.DataFrame) -> dict[str, Any]:
    """What was asked beforehand, as means over seeds; of arms that were run."""
    mean = {name: dict(found.group_by("arm").agg(pl.col(name).mean()).iter_rows()) for name in verdicts.NUMBERS}
    last, back, residual = mean["golden_last"], mean["rebound"], mean["residual"]
    by_seed = found.pivot("arm", index="seed", values="golden_last")
    order = by_seed.filter(pl.col("fifth_of_the_prompts") > pl.col("stored_1"), pl.col("stored_1") > pl.col("fresh_teacher"))
    ratios = found.filter(arm="stored_1")["to_control"].to_list()
    return {
        "rebound of stored_1 (0.05 or more)": back["stored_1"],
        "that of fresh_teacher (a third of it or less)": back["fresh_teacher"],
        "stored_1 ends behind fresh_teacher by (0.15 or more)": last["stored_1"] - last["fresh_teacher"],
        "rebound of fifth_of_the_prompts (0.15 or more)": back["fifth_of_the_prompts"],
        "stored_5 ends before stored_1 by (above 0)": last["stored_1"] - last["stored_5"],
        "residual of stored_1 to the control's, by seed (2 or more)": ", ".join(
            "the control keeps to its law" if each is None else f"{each:.2f}" for each in ratios
        ),
        "residual of stored_1": residual["stored_1"],
        "seeds with fifth_of_the_prompts behind stored_1 behind fresh_teacher": f"{len(order)} of {len(by_seed)}",
    }


def gaps(traces: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """How far each arm ends behind the one of fresh answers, with an interval over held-out prompts, a line a seed."""
    last = traces.filter(pl.col("step") == pl.col("step").max())
    for (seed,), own in last.group_by("seed", maintain_order=True):
        ends = {arm: np.array(each) for arm, each in own.select("arm", "golden_each").iter_rows()}
        for arm in (each for each in ends if each != CONTROL):
            behind = ends[arm] - ends[CONTROL]
            yield {
                "seed": seed,
                "arm": arm,
                "behind": behind.mean(),
                **dict(zip(("low", "high"), interval(behind), strict=True)),
            }


def main() -> None:
    """A line an arm and seed, every trace, the criteria, and pictures."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("world", choices=list(WORLDS))
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--steps", type=int)
    ask.add_argument("--kept", type=Path)
    ask.add_argument("--losses", action="store_true")
    ask.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(MAIN))
    given = ask.parse_args()
    torch.set_num_threads(1)
    arms, base, name = tuple(dict.fromkeys([*MAIN, *given.arms])), WORLDS[given.world], f"teacher_hacking_{given.world}"
    row = dataclasses.replace(base, arms=arms, steps=given.steps or base.steps, seeds=tuple(given.seeds))
    kept = given.kept or Path(tempfile.mkdtemp())
    ran = of_windows if given.world == "windows" else partial(study.run, watch=told)
    tables = ran(row, kept)
    _report.save(name, tables["verdicts"].drop("advice").to_dicts())
    traces = tables["traces"].drop("proxy_each", "golden_each")
    _report.save(f"{name}_traces", traces.to_dicts())
    _report.save(f"{name}_criteria", [criteria(tables["verdicts"])])
    _report.save(f"{name}_gaps", list(gaps(tables["traces"])))
    _report.draw(name, pictures.plane(tables["traces"], given.seeds[0]))
    _report.draw(f"{name}_curves", pictures.curves(tables["traces"]))
    _report.draw(f"{name}_doses", pictures.doses(tables["verdicts"]))
    if given.losses:
        losses(row, partial(ran, kept=kept), name)


def of_windows(row: Hacking, kept: Path) -> dict[str, pl.DataFrame]:
    """As study.run, of policies that transformers does not know, so that no world is saved."""
    traces = []
    for seed in row.seeds:
        held = None
        for arm in row.arms:
            folder = study.place(row, arm, seed, kept / "windows")
            if not (folder / study.TRACE).is_file():
                held = held or world.of_letters(row.letters, seed, make=_windows.made)
                study.learn(row, held, arm, seed, folder, told)
            traces.append(pl.read_parquet(folder / study.TRACE))
    return {"traces": pl.concat(traces), "verdicts": verdicts.of(pl.concat(traces))}


def losses(row: Hacking, ran: Callable[[Hacking], Mapping[str, pl.DataFrame]], name: str) -> None:
    """Stored and fresh answers by every divergence that is learned; distances stay forward KL."""
    lines = []
    for divergence in DIVERGENCES:
        found = ran(dataclasses.replace(row, arms=PAIRED, divergence=divergence))["verdicts"]
        mean = found.group_by("arm", maintain_order=True).agg(pl.col("golden_last", "rebound", "proxy_last").mean())
        lines += [{"divergence": divergence, **each} for each in mean.iter_rows(named=True)]
    _report.save(f"{name}_losses", lines)


def told(what: str, done: int, of: int) -> None:
    """A line a run."""
    if done in (0, of):
        print(f"{what}: {done:,} of {of:,}", flush=True)


if __name__ == "__main__":
    main()
