"""What attacks that praise or blame a target are asked for: its names, the sentiment, and an oracle that writes about it."""

from collections.abc import Sequence

from pipelines.attacks.oracles import ORACLES
from pipelines.schema import DataError, is_encodable

OPPOSITE = {"positive": "negative", "negative": "positive"}


def check(names: Sequence[str], sentiment: str, oracle: str) -> None:
    """Raises DataError on names, a sentiment or an oracle that no attack with a target could serve."""
    if isinstance(names, str):
        raise DataError(f"aliases must be a list of names, got {names!r}; write ['{names}']")
    for target in names:
        _check_name(target)
    if len(set(names)) < len(names):
        raise DataError(f"aliases must differ from one another, got {list(names)!r}; write each once")
    if not isinstance(sentiment, str) or sentiment not in OPPOSITE:
        raise DataError(f"sentiment must be one of {', '.join(OPPOSITE)}, got {sentiment!r}")
    if oracle not in ORACLES:
        raise DataError(f"oracle must be one of {', '.join(ORACLES)}, got {oracle!r}")


def _check_name(target: str) -> None:
    if not isinstance(target, str) or not target.strip():
        mend = "for example --set target=Zorvex, or 'target=\"1984\"' for a name of digits"
        raise DataError(f"target is the name to praise or blame and must not be empty, got {target!r}; {mend}")
    if not is_encodable(target):
        raise DataError(f"target must be valid Unicode, got {target!r}; write it in UTF-8")
