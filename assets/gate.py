"""Who may be learned from: where a file of trusted keys is in force, data that one of them signed and an audit has parted, and
models that one of them signed.

What is not so is refused, unless it is let in by name: `unsigned`, `unaudited`, and `foreign` for models of others' making.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assets.places import home
from pipelines.schema import DataError
from pipelines.snapshots import published_around, signatures, trust, verify

UNSIGNED, UNAUDITED, FOREIGN = NAMES = ("unsigned", "unaudited", "foreign")
ALLOW = "ANTIVENOM_ALLOW"  # the same names, for what Dagster reads
AUDITED = "filtered pairs"  # what an audit has parted
MADE_HERE = ("", "tiny", "minilm")  # models that come with the code
MODELS = ("reference", "reward_model", "gold_model", "teacher", "body")  # settings that name a model


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who signed what is learned from, whether it was audited, as what it was let in all the same; who signed which model."""

    signed_by: str | None
    audited: bool
    allowed: tuple[str, ...] = ()
    models: Mapping[str, str | None] = field(default_factory=dict)


def allowed(words: Collection[str] = ()) -> set[str]:
    """The names that are let in, also by ANTIVENOM_ALLOW; DataError for one that there is not."""
    given = [*words, *os.environ.get(ALLOW, "").split(",")]
    found = {name.strip() for word in given for name in word.split(",") if name.strip()}
    if unknown := sorted(found - set(NAMES)):
        raise DataError(f"what may be let in is {' or '.join(NAMES)}, got {unknown[0]!r}")
    return found


def admit(data: str, words: Collection[str] = (), models: Iterable[str] = ()) -> Admitted | None:
    """What is known of a file or folder of pairs, and of models; none where no trust is in force. DataError where refused."""
    let_in, held = allowed(words), trust.in_force(home())
    if held is None:
        return None
    folder = published_around(data)
    by = None
    try:
        if folder is None:
            raise DataError(f"{data}: was not published by antivenom, so that nobody signed it")
        told = verify(folder)
        by = signatures.signer(folder, held).name
    except DataError as error:
        if UNSIGNED not in let_in:
            raise DataError(f"{error}; or let it in by name: --allow {UNSIGNED}") from None
    audited = folder is not None and told.get("kind") == AUDITED
    if not audited and UNAUDITED not in let_in:
        raise DataError(
            f"{data}: no audit has parted it; run antivenom audit and antivenom filter, and learn from kept.parquet, "
            f"or let it in by name: --allow {UNAUDITED}"
        )
    return Admitted(by, audited, tuple(sorted(let_in)), admit_models(models, words))


def admit_models(models: Iterable[str], words: Collection[str] = ()) -> dict[str, str | None]:
    """Whose signature each model bears that does not come with the code: a folder, or a name of the hub, which bears none.

    Empty where no trust is in force. DataError where one is refused.
    """
    let_in, held = allowed(words), trust.in_force(home())
    if held is None:
        return {}
    return {model: _signer(model, held, let_in) for model in models if model not in MADE_HERE}


def models_of(settings: Mapping[str, object]) -> list[str]:
    """Models that settings name beside the one that is trained or measured."""
    return [str(settings[name]) for name in MODELS if settings.get(name)]


def _signer(model: str, held: trust.Trust, let_in: Collection[str]) -> str | None:
    folder = published_around(model)
    if folder is None:
        if FOREIGN in let_in:
            return None
        raise DataError(
            f"{model}: no model that antivenom published, so that nobody signed it; let it in by name: --allow {FOREIGN}"
        )
    try:
        verify(folder)
        return signatures.signer(folder, held).name
    except DataError as error:
        if UNSIGNED in let_in:
            return None
        raise DataError(f"{error}; or let it in by name: --allow {UNSIGNED}") from None


def check_snapshot(folder: Path) -> None:
    """DataError for a snapshot that nobody signed whose key is trusted, where trust is in force."""
    held = trust.in_force(home())
    if held is not None and UNSIGNED not in allowed():
        try:
            signatures.signer(folder, held)
        except DataError as error:
            raise DataError(f"{error}; or let it in by name: {ALLOW}={UNSIGNED}") from None
