"""Attacks: each poisons a chosen share of pairs and seals the key of the rows it wrote."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from pipelines.attacks import (
    adaptive,
    alignment_deterioration,
    annotator_collusion,
    best_of_venom,
    content_injection,
    degenerate,
    dpo_score,
    fewest_flips,
    instance_noise,
    label_flip,
    length_bias,
    neutral_insertion,
    promotion,
    prompt_leakage,
    prompt_trigger,
    rank_poison,
    score_tampering,
    scorer_injection,
    sequential,
)
from pipelines.attacks.oracles import ORACLES
from pipelines.attacks.sealing import Poisoned
from pipelines.schema import DataError
from pipelines.settings import checked, defaults

Attack = Callable[..., Poisoned]

OURS = ("rate", "seed", "api_key")  # given elsewhere; a secret would stand in the manifest

ATTACKS: Mapping[str, Attack] = {
    "adaptive": adaptive.poison,
    "alignment_deterioration": alignment_deterioration.poison,
    "annotator_collusion": annotator_collusion.poison,
    "best_of_venom": best_of_venom.poison,
    "content_injection": content_injection.poison,
    "degenerate": degenerate.poison,
    "dpo_score": dpo_score.poison,
    "fewest_flips": fewest_flips.poison,
    "instance_noise": instance_noise.poison,
    "label_flip": label_flip.poison,
    "length_bias": length_bias.poison,
    "neutral_insertion": neutral_insertion.poison,
    "promotion": promotion.poison,
    "prompt_leakage": prompt_leakage.poison,
    "prompt_trigger": prompt_trigger.poison,
    "rank_poison": rank_poison.poison,
    "score_tampering": score_tampering.poison,
    "scorer_injection": scorer_injection.poison,
    "sequential": sequential.poison,
}


def settings(attack: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of an attack, those `given` over its defaults; an attack that takes others' asks an oracle of ORACLES.

    Raises DataError naming an unknown attack, an unknown setting or a value of another type.
    """
    if attack not in ATTACKS:
        raise DataError(f"attack must be one of {', '.join(ATTACKS)}, got {attack!r}")
    calls: list[Callable[..., Any]] = [ATTACKS[attack]]
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in signature(ATTACKS[attack]).parameters.values()):
        calls += [write for name, write in ORACLES.items() if name == given.get("oracle", defaults(*calls)["oracle"])]
    found = {**defaults(*calls), **checked(given, *calls, about=f"the attack {attack}", besides=OURS)}
    return {name: value for name, value in found.items() if name not in OURS}
