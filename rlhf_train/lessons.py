"""What a run learns: the rows of a table, or answers of its own that a reward model scores."""

import copy
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rlhf_train import batches, by_content, distilling, guards, precompute, rollouts, scales
from rlhf_train.batches import Batch, Source
from rlhf_train.errors import TrainingError
from rlhf_train.generate import sample
from rlhf_train.given import TEXTS
from rlhf_train.metrics import Row
from rlhf_train.models import goal_bank, policies, reward_models, segment_rewards
from rlhf_train.models.adapters import adapted
from rlhf_train.models.heads import WithValues
from rlhf_train.models.opening import judge_at, opened, reference_of, teacher_of
from rlhf_train.models.policies import Policy
from rlhf_train.models.segment_rewards import SegmentRewards
from rlhf_train.numbers import given_to
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.rollouts import Round
from rlhf_train.spec import Spec
from rlhf_train.tables import Table, digest, read_table, split, take
from rlhf_train.train import fast_precision
from rlhf_train.watching import Watchman

#: what makes a number that an objective is given, where it is none of a whole response's log-probabilities
GIVEN: Mapping[str, Callable[..., Mapping[str, Any]]] = {
    "ref_token_logps": precompute.reference_token_logps,
    "chosen_entropies": precompute.token_entropies,
    "rejected_entropies": precompute.token_entropies,
    "teacher_logps": precompute.teacher_laws,
    "teacher_ids": precompute.teacher_laws,
}
#: what a model becomes once it has learned, by its objective: (model, reference, rows that it learned from, numbers)
FINISHED: Mapping[str, Callable[..., Any]] = {"goals": goal_bank.with_goal, "segments": segment_rewards.fitted}


@dataclass(frozen=True, slots=True)
class Lesson:
    """The module that learns, the steps that it learns from and how many, and the digests of what is behind them.

    `finished` makes of what has learned what is saved, where that is more; `inputs` is the forward pass where it is none of a
    table's.
    """

    model: Any
    source: Source
    steps: int
    save_every: int
    made_of: Mapping[str, str]
    stop: Callable[[Row], str | None] = lambda row: None
    held_out: Sequence[Batch] = ()
    spared: Callable[[], Collection[int]] = tuple
    finished: Callable[[Any], Any] | None = None
    inputs: Callable[..., dict[str, Any]] | None = None


def of_table(spec: Spec, held: Any, watch: Callable[[int, int], None]) -> Lesson:
    """Rows of the table; references are scored first where the objective is given them."""
    objective = OBJECTIVES[spec.objective]
    if objective.ended:
        guards.check_end(held.model, held.tokenizer)
    table = read_table(Path(spec.data), objective.columns, objective.scores)
    if "chosen" in objective.columns:
        places = guards.usable_pairs(table, held.tokenizer, held.lengths, most_identical=spec.most_identical)
        table = take(table, places)
    objective.check(table, **{name: spec.numbers.get(name, number.default) for name, number in objective.numbers.items()})
    if "ref_mismatched_logps" in objective.given:
        table["mismatched"] = batches.mismatched(table)
    if "standard_reward" in objective.given:
        table["standard_reward"] = scales.standardised(table["reward"])
    form: Callable[..., batches.Rows] = partial(objective.rows, **given_to(objective.rows, spec.numbers))
    if objective.scored and not reward_models.is_causal(held.model):
        if objective.causal:
            kind = type(held.model).__name__
            raise TrainingError(
                f"{spec.objective} reads a response from left to right, which {kind} does not; name a causal model"
            )
        form = batches.encoded_pairs
    teacher = teacher_of(spec, held) if spec.teacher else None
    live = teacher is not None and not spec.numbers.get("top_k")
    wanted = [name for name in objective.given if name not in table and not live]
    reference = teacher or (reference_of(spec, held, scored=objective.scored) if wanted else held)
    if wanted:
        table |= _given(spec, wanted, reference, table, held, watch)
    if reference is not held and not live:
        reference.model.to("cpu")  # until the run is over
    parts = split(table, spec.held_out, spec.seed)
    if spec.held_out and not parts[1]["prompt"]:
        raise TrainingError(f"held_out = {spec.held_out:g} of {len(table['prompt'])} rows is not one prompt; raise it")
    learned, tested = (form(part, held.tokenizer, held.lengths) for part in parts)
    model, finish = _learning(held.model, spec), FINISHED.get(spec.objective)
    return Lesson(
        objective.module(model, **given_to(objective.module, spec.numbers)) if objective.module else model,
        batches.shuffled(learned, size=spec.batch, seed=spec.seed, tokens=spec.tokens),
        spec.steps or max(round(spec.epochs * len(learned) / spec.batch), 1),
        spec.save_every,
        {"data": digest(table), **({"teacher": by_content.model_digest(teacher.model)} if teacher else {})},
        held_out=batches.in_order(tested, tokens=spec.tokens) if spec.held_out else (),
        finished=partial(finish, reference=reference, columns=parts[0], **given_to(finish, spec.numbers)) if finish else None,
        inputs=partial(distilling.live, teacher=teacher.model) if teacher and live else None,
    )


def of_teacher(spec: Spec, held: Any) -> Lesson:
    """Rounds of fresh responses that teacher or student says to the table's prompts; the teacher is asked at every step."""
    table, teacher = read_table(Path(spec.data), ("prompt",)), teacher_of(spec, held)
    fields = {"prompts": spec.batch, "epochs": 1, "batch": spec.batch, "tokens": spec.tokens, **spec.rounds}
    prompts, round_ = list(dict.fromkeys(table["prompt"])), Round(**fields)
    model = _learning(held.model, spec)
    student = dataclasses.replace(held, model=model)
    speaker = dataclasses.replace(teacher, lengths=held.lengths) if spec.speaker == "teacher" else student
    turns = max(round(spec.epochs * len(prompts) / round_.prompts), 1)
    return Lesson(
        model,
        rollouts.fresh(speaker, prompts, round_, seed=spec.seed),
        spec.steps or turns * round_.steps,
        -(-spec.save_every // round_.steps) * round_.steps,
        {"data": digest(table), "teacher": by_content.model_digest(teacher.model)},
        inputs=partial(distilling.live, teacher=teacher.model),
    )


def of_answers(spec: Spec, held: Any) -> Lesson:
    """Rounds of the policy's own answers to the table's prompts: by ppo, or by sft on the best of n."""
    table = read_table(Path(spec.data), ("prompt",))
    round_ = Round(**{"batch": spec.batch, "tokens": spec.tokens, **spec.rounds})
    judge, judged_by = judge_at(str(spec.reward_model), held.model.device)
    made_of: Mapping[str, str] = {"data": digest(table), "reward_model": judged_by}
    learned, tested = split({"prompt": list(dict.fromkeys(table["prompt"]))}, spec.held_out, spec.seed)
    prompts = learned["prompt"]
    turns = max(round(spec.epochs * len(prompts) / round_.prompts), 1)
    steps = spec.steps or turns * round_.steps
    every = -(-spec.save_every // round_.steps) * round_.steps  # a round is entered at its beginning
    if spec.gold_model is not None:
        every = round_.steps  # one of them will have been the best
    if spec.objective == "sft":
        model = _learning(held.model, spec)
        policy = dataclasses.replace(held, model=model)
        source = rollouts.best_of(policy, prompts, judge.rewards, round_, seed=spec.seed)
        made_of, watchman = _watched(spec, policy, tested["prompt"], round_, made_of)
        return Lesson(model, source, steps, every, made_of, watchman, spared=watchman.best)
    reference = opened(spec.reference, policies.load) if spec.reference else copy.copy(held)
    reference = dataclasses.replace(reference, model=copy.deepcopy(reference.model).to(held.model.device), lengths=held.lengths)
    model = WithValues(_learning(held.model, spec))
    policy = dataclasses.replace(held, model=model.policy)
    exact, scorer = _precision(spec), judge.rewards
    if isinstance(judge, SegmentRewards):
        judge.check(policy)
        scorer = judge
    source = rollouts.ppo(model, policy, reference, prompts, scorer, round_, mixed_precision=exact, seed=spec.seed)
    made_of = {**made_of, "reference": by_content.model_digest(reference.model)}
    made_of, watchman = _watched(spec, policy, tested["prompt"], round_, made_of)
    return Lesson(model, source, steps, every, made_of, watchman, spared=watchman.best)


def _watched(
    spec: Spec, policy: Policy, prompts: Sequence[str], round_: Round, made_of: Mapping[str, str]
) -> tuple[Mapping[str, str], Watchman]:
    """The digests and the watchman of a run; a gold model scores answers to `prompts` after every round."""
    if spec.gold_model is None:
        return made_of, Watchman(kl_budget=spec.kl_budget)
    if not prompts:
        raise TrainingError(f"held_out = {spec.held_out:g} leaves no prompt for the gold model to watch; raise it")
    judge, judged_by = judge_at(spec.gold_model, policy.model.device)

    def gold() -> float:
        said = sample(policy, prompts, seed=spec.seed, temperature=round_.temperature, lengths=policy.lengths)
        return float(judge.rewards(prompts, said).mean())

    digests = {**made_of, "gold_model": judged_by}
    return digests, Watchman(kl_budget=spec.kl_budget, gold=gold, every=round_.steps)


def _given(
    spec: Spec, wanted: Sequence[str], reference: Policy, table: Table, held: Any, watch: Callable[[int, int], None]
) -> Table:
    """What the objective is given of the reference policy."""
    texts = {name: column for name, column in table.items() if name in TEXTS}
    found: Table = {}
    for make in dict.fromkeys(GIVEN.get(name, precompute.reference_logps) for name in wanted):
        found |= make(
            reference,
            texts,
            held.lengths,
            cache=Path(spec.cache or Path(spec.out) / "cache"),
            mixed_precision=_precision(spec),
            watch=watch,
            **({"top_k": spec.numbers["top_k"]} if "top_k" in spec.numbers else {}),
        )
    return found


def _precision(spec: Spec) -> str:
    return spec.mixed_precision or fast_precision()


def _learning(model: Any, spec: Spec) -> Any:
    torch.manual_seed(spec.seed)
    if spec.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    return adapted(model, spec.lora) if spec.lora else model
