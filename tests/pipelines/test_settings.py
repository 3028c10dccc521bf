"""Settings by name, as people write them: types held, unknown names answered."""

from collections.abc import Callable, Mapping

import pytest

from pipelines import attacks
from pipelines.schema import DataError
from pipelines.settings import checked, defaults


def brew(water, *, strength: float = 0.5, minutes: int = 3, tea: str = "green", shares: Mapping[str, float] | None = None,
         seeds: tuple[int, ...] = (0,), is_iced: bool = False, taste: Callable[[str], bool] | None = None):  # fmt: skip
    """Something that takes settings of every kind that can be written down, and one that can't."""


def test_values_of_the_right_type_pass_and_whole_numbers_count_as_real_ones():
    given = {"strength": 1, "minutes": 4, "tea": "black", "shares": {"a": 1}, "seeds": [1, 2], "is_iced": True}
    assert checked(given, brew, about="brewing") == {**given, "strength": 1.0, "seeds": (1, 2)}
    assert checked({"shares": None}, brew, about="brewing") == {"shares": None}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strength": "much"}, "strength must be float or int, got 'much'"),
        ({"minutes": 2.5}, r"minutes must be int, got 2\.5"),
        ({"minutes": True}, "minutes must be int, got True"),
        ({"tea": 1984}, "tea must be str, got 1984; quote it: 'tea=\"1984\"'"),
        ({"is_iced": "maybe"}, "is_iced must be bool, got 'maybe'"),
        ({"minuts": 1}, r"minuts is no setting of brewing; did you mean minutes\? there are strength, minutes, tea"),
        ({"taste": "sweet"}, "taste is no setting of brewing"),
        ({"water": 1}, "water is no setting of brewing"),
    ],
)
def test_a_wrong_setting_is_named_with_its_mend(given, said):
    with pytest.raises(DataError, match=said):
        checked(given, brew, about="brewing")


def test_what_stands_besides_is_not_to_be_set():
    with pytest.raises(DataError, match="tea is no setting"):
        checked({"tea": "black"}, brew, about="brewing", besides=["tea"])


def test_defaults_are_those_that_can_be_written_down():
    assert defaults(brew) == {"strength": 0.5, "minutes": 3, "tea": "green", "shares": None, "seeds": (0,), "is_iced": False}


@pytest.mark.parametrize("attack", attacks.ATTACKS)
def test_every_attack_takes_its_own_settings_and_no_secret(attack):
    found = attacks.settings(attack, {})
    assert attacks.settings(attack, found) == found
    assert not {"rate", "seed", "api_key"} & set(found)
    with pytest.raises(DataError, match=f"nonesuch is no setting of the attack {attack}"):
        attacks.settings(attack, {"nonesuch": 1})


def test_the_settings_of_an_attack_are_its_oracles_too():
    assert attacks.settings("best_of_venom", {})["topical"] == 0.5
    assert attacks.settings("best_of_venom", {"oracle": "server", "timeout": 5})["timeout"] == 5.0
    with pytest.raises(DataError, match="timeout is no setting"):
        attacks.settings("best_of_venom", {"timeout": 5})
    with pytest.raises(DataError, match="api_key is no setting"):
        attacks.settings("best_of_venom", {"oracle": "server", "api_key": "secret"})
