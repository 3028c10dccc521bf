"""python -m rlhf_train.run spec.json: one training run from one file, alone or under `accelerate launch`.

A run that is started again goes on from its last checkpoint; one that is finished stays as it is.
"""

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from rlhf_train import by_content, lessons
from rlhf_train.errors import TrainingError
from rlhf_train.metrics import Row
from rlhf_train.models import preference_heads
from rlhf_train.models.adapters import merged
from rlhf_train.models.heads import WithValues
from rlhf_train.models.opening import begun
from rlhf_train.models.preference_heads import WithPreferenceHead
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.spec import Spec, read
from rlhf_train.train import fit

Watch = Callable[[str, int, int, Row], None]
CARD = "model_card.json"
#: fields of a spec that fit() takes as they are
LOOP = ("warmup", "decay", "clip", "weight_decay", "mixed_precision", "compile", "seed", "eval_every", "trackers")
#: fields that say where and on how much a run runs, and not what it is
PLACES = ("out", "cache", "threads", "save_every", "trackers")


def run(spec: Spec, watch: Watch = lambda what, done, of, row: None) -> list[Row]:
    """Trains as the spec says: out/model is the model and its card, out/metrics.jsonl and out/step-* how it came about.

    Returns the metrics of every step. TrainingError for what can't be trained; what an earlier run left stays as it was.
    """
    from accelerate import PartialState

    if spec.threads:
        torch.set_num_threads(spec.threads)
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"  # it would untie weights, and leave new heads without any
    state = PartialState(cpu=not torch.cuda.is_available())
    objective, out = OBJECTIVES[spec.objective], Path(spec.out)
    held = begun(spec, scored=objective.scored)
    held.model.to(state.device)
    weights = by_content.model_digest(held.model)
    if spec.reward_model:
        lesson = lessons.of_answers(spec, held)
    elif spec.speaker != "table":
        lesson = lessons.of_teacher(spec, held)
    else:
        lesson = lessons.of_table(spec, held, lambda done, of: watch("reference", done, of, {}))
    if lesson.inputs:
        objective = dataclasses.replace(objective, inputs=lesson.inputs)
    identity = _identity(spec, {**lesson.made_of, "model": weights})
    history = fit(
        lesson.model,
        objective,
        lesson.source,
        steps=lesson.steps,
        lr=spec.lr or objective.lr,
        anchor=_anchor(spec, lesson.model),
        numbers=spec.numbers,
        held_out=lesson.held_out,
        folder=out,
        save_every=lesson.save_every,
        spared=lesson.spared,
        identity=identity,
        watch=lambda done, of, row: watch("training", done, of, row),
        stop=lesson.stop,
        **{name: getattr(spec, name) for name in LOOP},
    )
    if state.is_main_process:
        card = {**identity, "steps": len(history), "last": history[-1]}
        _save(held, lesson.model, out, card, lesson.finished)
    return history


def _anchor(spec: Spec, model: Any) -> float:
    """How strongly weights are drawn to where they began: as the run says, or else its method."""
    usual = getattr(model, "anchor", 0.0)
    if usual and spec.anchor == 0:
        raise TrainingError("backbone is 'drawn' and an anchor of 0 draws nothing back; raise it, or set backbone to 'full'")
    return usual if spec.anchor is None else spec.anchor


def _identity(spec: Spec, digests: Mapping[str, str]) -> dict[str, Any]:
    """What the run is, as plain JSON: its spec, with the digest of a table or model in place of where it was read."""
    said = {name: value for name, value in dataclasses.asdict(spec).items() if name not in PLACES}
    return json.loads(json.dumps({**said, **digests}))


def _save(held: Any, learned: Any, out: Path, card: Mapping[str, Any], finished: Callable[[Any], Any] | None) -> None:
    """out/model, in one rename, once `finished`; adapters are merged into it and stand by themselves in out/adapter.

    A head is in both.
    """
    aside, place, places = out / ".model", out / "model", [out / ".model"]
    shutil.rmtree(aside, ignore_errors=True)
    held = dataclasses.replace(held, model=learned.policy if isinstance(learned, (WithValues, WithPreferenceHead)) else learned)
    if hasattr(held.model, "merge_and_unload"):
        held.model.save_pretrained(out / "adapter")
        held = dataclasses.replace(held, model=merged(held.model))
        places.append(out / "adapter")
    (finished(held) if finished else held).save(aside)
    for folder in places if isinstance(learned, WithPreferenceHead) else []:
        preference_heads.save(learned, held.tokenizer, held.lengths, folder)
    said = {**card, "weights": by_content.model_digest(held.model)}
    (aside / CARD).write_text(json.dumps(said, indent=1) + "\n")
    shutil.rmtree(place, ignore_errors=True)
    aside.rename(place)


def main() -> None:
    """The command: one argument, the spec; progress goes to standard error."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m rlhf_train.run spec.json")

    def watch(what: str, done: int, of: int, row: Row) -> None:
        if done == of or done % 50 == 0:
            said = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "step")
            print(f"{what} {done}/{of}{': ' * bool(said)}{said}", file=sys.stderr, flush=True)

    from safetensors import SafetensorError

    try:
        run(read(Path(sys.argv[1])), watch)
    except (TrainingError, OSError, SafetensorError) as error:
        sys.exit(f"rlhf_train: {error}")


if __name__ == "__main__":
    main()
