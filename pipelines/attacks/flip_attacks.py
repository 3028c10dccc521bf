"""The attacks that only turn labels round: those that fewest_flips can make cheaper."""

from collections.abc import Callable, Mapping

from pipelines.attacks import annotator_collusion, dpo_score, instance_noise, label_flip, promotion, rank_poison
from pipelines.attacks.sealing import Poisoned

FLIPS: Mapping[str, Callable[..., Poisoned]] = {
    "annotator_collusion": annotator_collusion.poison,
    "dpo_score": dpo_score.poison,
    "instance_noise": instance_noise.poison,
    "label_flip": label_flip.poison,
    "promotion": promotion.poison,
    "rank_poison": rank_poison.poison,
}
