"""Low-rank adapters (Hu et al., 2021), by peft: the weights stay as they are, and what learns is small."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rlhf_train.errors import TrainingError


def adapted(model: Any, numbers: Mapping[str, Any]) -> Any:
    """`model` with adapters; `numbers` are fields of peft's LoraConfig, as r, lora_alpha, target_modules."""
    from peft import LoraConfig, TaskType, get_peft_model

    known = {part.name for part in fields(LoraConfig)}
    for name in numbers:
        if name not in known:
            raise TrainingError(f"lora: {name} is no field of peft's LoraConfig; there are {', '.join(sorted(known))}")
    head = TaskType.SEQ_CLS if hasattr(model, "score") or hasattr(model, "classifier") else TaskType.CAUSAL_LM
    return get_peft_model(model, LoraConfig(**{"task_type": head, "target_modules": "all-linear", **numbers}))


def merged(model: Any) -> Any:
    """The model with its adapters added to its weights."""
    return model.merge_and_unload()
