"""Whatever scores responses, saved and loaded: a scorer by itself as it is, a committee as a folder of its members."""

import json
from pathlib import Path
from typing import Any

from rlhf_train.errors import TrainingError
from rlhf_train.models import preference_heads, preference_judges, reward_models, segment_rewards
from rlhf_train.models.committees import Committee, Member
from rlhf_train.models.partitions import Silent, Standardised
from rlhf_train.models.preference_judges import PreferenceJudge
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.models.segment_rewards import SegmentRewards

FILE = "judge.json"  # stands where a folder is no plain reward model


def save(judge: Member, folder: Path) -> Path:
    """Writes safetensors and JSON; returns the folder. TrainingError for a judge whose features are code."""
    if isinstance(judge, (RewardModel, PreferenceJudge, SegmentRewards)):
        return judge.save(folder)
    facts: dict[str, Any]
    if isinstance(judge, Committee):
        facts, parts = {"combine": judge.combine, "weight": judge.weight}, judge.members
    elif isinstance(judge, Standardised):
        facts, parts = {"middle": judge.middle, "spread": judge.spread}, (judge.model,)
    elif isinstance(judge, Silent):
        facts, parts = {}, ()
    else:
        raise TrainingError(
            f"reward models, those of segments, preference heads, committees and votes can be saved, got {type(judge).__name__}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for at, part in enumerate(parts):
        save(part, folder / f"member-{at}")
    (folder / FILE).write_text(json.dumps({"kind": type(judge).__name__, "members": len(parts), **facts}, indent=1) + "\n")
    return folder


def load(folder: str | Path) -> Any:
    """What `save` wrote, a policy with a preference head, or any reward model from a folder or hub name."""
    file = Path(folder) / FILE
    if (Path(folder) / preference_heads.FILE).is_file():
        return preference_judges.load(folder)
    if (Path(folder) / segment_rewards.FILE).is_file():
        return segment_rewards.load(folder)
    if not file.is_file():
        return reward_models.load(folder)
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        kind, members = facts.pop("kind"), [Path(folder) / f"member-{at}" for at in range(facts.pop("members"))]
        if kind == Committee.__name__:
            return Committee(tuple(map(load, members)), **facts)
        if kind == Standardised.__name__:
            return Standardised(load(*members), **facts)
        if kind == Silent.__name__:
            return Silent()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise TrainingError(f"{file}: not a judge that was saved here ({error}); train it again") from None
    raise TrainingError(f"{file}: a judge is a Committee, Standardised or Silent, got {kind!r}; train it again")
