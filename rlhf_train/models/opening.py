"""Models that a spec names, opened for training: whole, of their tokenizer, and able to take packed rows."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from rlhf_train import guards
from rlhf_train.by_content import model_digest
from rlhf_train.errors import TrainingError
from rlhf_train.models import judges, policies, reward_models
from rlhf_train.models.policies import Policy
from rlhf_train.models.segment_rewards import SegmentRewards
from rlhf_train.spec import Spec
from rlhf_train.text import Lengths

LONGEST = 512  # tokens of a prompt or a response unless the spec asks for more


def opened(place: str, load: Callable[[str], Any]) -> Any:
    """The model at a folder or hub name; TrainingError where there is none that is whole."""
    try:
        return load(place)
    except TrainingError:
        raise
    except Exception as error:  # what others wrote into its files leads transformers to fail in any way
        said = (str(error).splitlines() or [type(error).__name__])[0]
        mend = "expected safetensors, config and tokenizer"
        raise TrainingError(f"{place}: no model that can be loaded ({said}); {mend}") from None


def begun(spec: Spec, *, scored: bool) -> Any:
    """The policy, or the reward model where it is `scored`, as the run begins with it; its lengths fit its context."""
    load = partial(reward_models.load, trained_layers=spec.trained_layers, seed=spec.seed) if scored else policies.load
    held = opened(spec.model, load)
    context = getattr(held.model.config, "max_position_embeddings", None) or 2 * LONGEST + guards.MARKS
    response = spec.response_tokens or min(LONGEST, context // 2)
    held = dataclasses.replace(
        held, lengths=Lengths(spec.prompt_tokens or max(min(LONGEST, context - response - guards.MARKS), 1), response)
    )
    guards.check_model(held.model, held.tokenizer, held.lengths)
    guards.check_packing(held.model)
    return held


def judge_at(place: str, device: Any) -> tuple[Any, str]:
    """Whatever scores responses, on a device, and the digest of what its scores depend on."""
    judge = opened(place, judges.load)
    if isinstance(judge, SegmentRewards):
        return judge.to(device), judge.digest()
    judge.model.to(device)
    return judge, model_digest(judge.model)


def teacher_of(spec: Spec, held: Any) -> Policy:
    """Whom a student imitates: of the same tokens, and frozen."""
    teacher = opened(str(spec.teacher), policies.load)
    guards.check_same_tokens(teacher.tokenizer, held.tokenizer)
    guards.check_model(teacher.model, held.tokenizer, held.lengths)
    guards.check_packing(teacher.model)
    teacher.model.to(held.model.device).requires_grad_(False)
    return teacher


def reference_of(spec: Spec, held: Any, *, scored: bool) -> Policy:
    """The policy that the spec names, or as which the run begins: of a reward model that is the one that its body is of."""
    named = spec.reference or (spec.model if scored else None)
    policy = opened(named, policies.load) if named else held
    policy.model.to(held.model.device)
    return policy
