"""Attacks: each poisons a chosen share of pairs and seals the key of the rows it wrote."""

from collections.abc import Callable, Mapping

from pipelines.attacks import best_of_venom
from pipelines.attacks.sealing import Poisoned

Attack = Callable[..., Poisoned]

ATTACKS: Mapping[str, Attack] = {
    "best_of_venom": best_of_venom.poison,
}
