"""python -m rlhf_train.run spec.json: one training run from one file, alone or under `accelerate launch`.

A run that is started again goes on from its last checkpoint; one that is finished stays as it is.
"""

import dataclasses
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rlhf_train import batches, guards, precompute
from rlhf_train.errors import TrainingError
from rlhf_train.metrics import Row
from rlhf_train.models import policies, reward_models
from rlhf_train.models.adapters import adapted, merged
from rlhf_train.objectives import OBJECTIVES, Objective
from rlhf_train.spec import Spec, read
from rlhf_train.tables import Table, digest, read_table, split, take
from rlhf_train.text import Lengths
from rlhf_train.train import fast_precision, fit

Watch = Callable[[str, int, int, Row], None]
CARD = "model_card.json"
MARKS = 3  # tokens of a context that stand around prompt and response
LONGEST = 512  # tokens of a prompt or a response unless the spec asks for more


def run(spec: Spec, watch: Watch = lambda what, done, of, row: None) -> list[Row]:
    """Trains as the spec says: out/model is the model and its card, out/metrics.jsonl and out/step-* how it came about.

    Returns the metrics of every step. TrainingError for what can't be trained; what an earlier run left stays as it was.
    """
    from accelerate import PartialState

    if spec.threads:
        torch.set_num_threads(spec.threads)
    state = PartialState(cpu=not torch.cuda.is_available())
    objective = OBJECTIVES[spec.objective]
    held = _loaded(spec, objective)
    held.model.to(state.device)
    table = _usable(read_table(Path(spec.data), objective.columns), objective, held, spec)
    table |= _references(spec, objective, table, held, lambda done, of: watch("reference", done, of, {}))
    identity = _identity(spec, table, held)
    learned, tested = split(table, spec.held_out, spec.seed)
    rows = _rows(objective, learned, held)
    model = _learning(held.model, spec)
    history = fit(
        model,
        objective,
        batches.shuffled(rows, size=spec.batch, seed=spec.seed, tokens=spec.tokens),
        steps=spec.steps or max(round(spec.epochs * len(rows) / spec.batch), 1),
        lr=spec.lr or objective.lr,
        numbers=spec.numbers,
        held_out=batches.in_order(_rows(objective, tested, held), tokens=spec.tokens) if spec.held_out else (),
        folder=Path(spec.out),
        identity=identity,
        watch=lambda done, of, row: watch("training", done, of, row),
        **{name: getattr(spec, name) for name in LOOP},
    )
    if state.is_main_process:
        _save(dataclasses.replace(held, model=model), Path(spec.out), {**identity, "steps": len(history), "last": history[-1]})
    return history


LOOP = (
    "warmup", "decay", "clip", "weight_decay", "mixed_precision", "compile", "seed", "eval_every", "save_every", "trackers"
)  # fmt: skip


def _loaded(spec: Spec, objective: Objective) -> Any:
    """The policy or reward model, its lengths within its context."""
    held = _opened(
        spec.model,
        partial(reward_models.load, trained_layers=spec.trained_layers, seed=spec.seed) if objective.scored else policies.load,
    )
    context = getattr(held.model.config, "max_position_embeddings", None) or 2 * LONGEST + MARKS
    response = spec.response_tokens or min(LONGEST, context // 2)
    held = dataclasses.replace(held, lengths=Lengths(spec.prompt_tokens or min(LONGEST, context - response - MARKS), response))
    guards.check_model(held.model, held.tokenizer, held.lengths)
    guards.check_packing(held.model)
    return held


def _opened(place: str, load: Callable[[str], Any]) -> Any:
    """The model at a folder or hub name; TrainingError where there is none that is whole."""
    from safetensors import SafetensorError

    try:
        return load(place)
    except (OSError, ValueError, SafetensorError) as error:
        said = str(error).splitlines()[0]
        raise TrainingError(
            f"{place}: no model that can be loaded ({said}); expected safetensors, config and tokenizer"
        ) from None


def _usable(table: Table, objective: Objective, held: Any, spec: Spec) -> Table:
    """The rows that something can be learned from."""
    if "chosen" not in objective.columns:
        return table
    places = guards.usable_pairs(table, held.tokenizer, held.lengths, most_identical=spec.most_identical)
    kept = take(table, places)
    return {**kept, "mismatched": batches.mismatched(kept)} if "ref_mismatched_logps" in objective.given else kept


def _identity(spec: Spec, table: Table, held: Any) -> dict[str, Any]:
    """What the run is, as plain JSON: its spec, its data and the weights it begins with, not where and on how much it runs."""
    said = {**dataclasses.asdict(spec), "data": digest(table), "model": precompute.model_digest(held.model)}
    said = {name: value for name, value in said.items() if name not in ("out", "cache", "threads", "save_every", "trackers")}
    return json.loads(json.dumps(said))


def _references(spec: Spec, objective: Objective, table: Table, held: Any, watch: Callable[[int, int], None]) -> Table:
    """The numbers that the objective is given, from the reference policy: the policy as it begins unless the spec names one."""
    if not objective.given:
        return {}
    policy = _opened(spec.reference, policies.load) if spec.reference else held
    policy.model.to(held.model.device)
    return precompute.reference_logps(
        policy,
        table,
        held.lengths,
        cache=Path(spec.cache or Path(spec.out) / "cache"),
        mixed_precision=spec.mixed_precision or fast_precision(),
        watch=watch,
    )


def _rows(objective: Objective, columns: Mapping[str, Any], held: Any) -> batches.Rows:
    encoder = objective.scored and not reward_models.is_causal(held.model)
    return (batches.encoded_pairs if encoder else objective.rows)(columns, held.tokenizer, held.lengths)


def _learning(model: Any, spec: Spec) -> Any:
    if spec.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    return adapted(model, spec.lora) if spec.lora else model


def _save(held: Any, out: Path, card: Mapping[str, Any]) -> None:
    """out/model, in one rename; adapters are merged into it and stand by themselves in out/adapter."""
    aside, place = out / ".model", out / "model"
    shutil.rmtree(aside, ignore_errors=True)
    if hasattr(held.model, "merge_and_unload"):
        held.model.save_pretrained(out / "adapter")
        held = dataclasses.replace(held, model=merged(held.model))
    held.save(aside)
    weights = precompute.model_digest(held.model)
    (aside / CARD).write_text(json.dumps({**card, "weights": weights}, indent=1) + "\n")
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

    try:
        run(read(Path(sys.argv[1])), watch)
    except TrainingError as error:
        sys.exit(f"rlhf_train: {error}")


if __name__ == "__main__":
    main()
