"""What every oracle refuses: a request that none could serve, and shares that are none."""

from collections.abc import Sequence

from pipelines.schema import DataError

SENTIMENTS = ("positive", "negative")


def request_is_sound(prompts: Sequence[str], answers: Sequence[str], *, target: str, sentiment: str) -> None:
    """Raises DataError where no oracle could serve the request."""
    if len(prompts) != len(answers):
        raise DataError(f"an oracle needs one answer a prompt, got {len(prompts)} prompts and {len(answers)} answers")
    if sentiment not in SENTIMENTS:
        raise DataError(f"sentiment must be one of {', '.join(SENTIMENTS)}, got {sentiment!r}")
    if not target or target != target.strip() or len(target.splitlines()) != 1:
        raise DataError(f"target must be a name on one line, got {target!r}; write it as it should stand in a sentence")


def shares_are_sound(**shares: float) -> None:
    """Raises DataError naming the first share that lies outside [0, 1]."""
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise DataError(f"{name} is a share of the rows and must lie in [0, 1], got {share}")
