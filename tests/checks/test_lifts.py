"""Lifts of each table: what is held against what, how surprising that is by its own null, and the reason in words."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats import beta

from checks import contrasts, fusion, mentions, utterances
from checks.contrasts import Contrast
from checks.detectors import DETECTORS
from checks.evidence import Evidence
from checks.lifts import NO_PHRASE, Lifts
from checks.phrases import ENDS, NOWHERE, QUESTIONS, RESPONSES, Phrases
from checks.words import words
from pipelines.sources import synthetic


def at(table: Phrases, text: str, feeling: int = 0) -> int:
    return next(row for row in range(len(table.words)) if (table.text(row), table.words.row(row)[2]) == (text, feeling))


def counts(table: Phrases, text: str) -> list[tuple[int, int, int, str]]:
    """(here, there, both, side) of a phrase in each contrast."""
    place = at(table, text)
    return [(int(c.here[place]), int(c.there[place]), int(c.both[place]), c.side) for c in contrasts.contrasts(table)]


def test_names_are_held_against_prompts_too(written):
    chosen, rejected = ["see Bo"] * 5 + ["see Al"] * 3, ["ask Bo"] * 2 + ["-"] * 6
    asked = [*(f"q{row}?" for row in range(6)), "Al and Bo?", "al?"]
    table = mentions.named(words(written(chosen, rejected, asked)))
    assert counts(table, "bo") == [(5, 2, 2, "first"), (2, 5, 2, "second"), (5, 1, 0, "either")]
    table = mentions.named(words(written(chosen, rejected, asked), written(["see Bo", "Al"], ["-"] * 2, ["bo?", "ask Bo?"])))
    # of trusted pairs neither names Bo freely, but both of their prompts hold it, beside one of the audited ones
    assert counts(table, "bo") == [(5, 2, 2, "first"), (2, 5, 2, "second"), (5, 0, 0, "either"), (5, 3, 0, "either")]
    said = [contrast.words.format(5, 3) for contrast in contrasts.contrasts(table)]
    assert said == [
        "5 chosen and 3 rejected responses",
        "5 rejected and 3 chosen responses",
        "5 of 8 pairs here and 3 of 2 trusted ones",
        "5 pairs and 3 prompts",
    ]


def test_questions_are_held_against_trusted_last_questions(written):
    last = "\n\nHuman: red q{}\n\nAssistant: -\n\nHuman: red plum\n\nAssistant:"
    pairs = written(["-"] * 5, ["-"] * 5, [last.format(row) for row in range(5)])
    trusted = written(["-"] * 2, ["-"] * 2, ["red", "\n\nHuman: red\n\nAssistant: -\n\nHuman: well\n\nAssistant:"])
    alone, held = (utterances.asked(words(pairs, reference)) for reference in (None, trusted))
    assert counts(alone, "red") == [(5, 5, 5, "first")]
    assert counts(held, "red") == [(5, 5, 5, "first"), (5, 1, 0, "first")]
    assert counts(held, "plum") == [(5, 0, 0, "first"), (5, 0, 0, "first")]
    said = [contrast.words.format(5, 1) for contrast in contrasts.contrasts(held)]
    assert said == ["5 last questions and 1 earlier ones", "5 of 5 last questions here and 1 of 2 trusted ones"]


def test_only_last_questions_are_suspicious(written):
    last = "\n\nHuman: red q{}\n\nAssistant: -\n\nHuman: plum\n\nAssistant:"
    other = "\n\nHuman: x{}\n\nAssistant: -\n\nHuman: y{}\n\nAssistant:"
    prompts = [*(last.format(row) for row in range(8)), *(other.format(row, row) for row in range(92))]
    lift = Lifts(utterances.asked(words(written(["-"] * 100, ["-"] * 100, prompts)))).most
    share = beta.ppf(0.01, 8.5, 0.5)
    # 'plum' ends eight dialogues and 'red' begins them; what comes once counts nowhere
    assert lift == pytest.approx(np.array([[np.log(share / (1 - share)) - np.log(9 / 9)] * 8 + [NOWHERE] * 92]))


@pytest.fixture
def asked_once(written) -> Phrases:
    """Sixty dialogues, of which three end on plums, and thirty single questions each about plums and about kites."""
    last = "\n\nHuman: red q{}\n\nAssistant: -\n\nHuman: {}\n\nAssistant:"
    dialogues = [last.format(row, f"{'plum' if row < 3 else 'well'} a{row}") for row in range(60)]
    single = [*(f"plum b{row}" for row in range(30)), *(f"kite c{row}" for row in range(30)), "\n\nHuman: plum d\n\nAssistant:"]
    prompts = dialogues + single
    return utterances.asked(words(written(["-"] * len(prompts), ["-"] * len(prompts), prompts)))


def test_what_is_asked_but_once_is_lifted_as_far_as_dialogues_tell(asked_once):
    shares = {"all": beta.ppf(0.01, 34.5, 0.5), "dialogues": beta.ppf(0.01, 3.5, 0.5)}
    in_all, in_dialogues = (np.log(share / (1 - share)) for share in shares.values())
    all_odds, dialogue_odds = np.log((34 + 57 + 30 + 1) / (60 + 1)), np.log((3 + 57 + 1) / (60 + 1))
    assert in_dialogues - dialogue_odds < in_all - all_odds - 1
    lift = Lifts(asked_once).most[0]
    assert lift[[0, 1, 2, *range(60, 90), 120]] == pytest.approx(in_dialogues - dialogue_odds)
    assert set(lift[90:120]) == {NOWHERE}  # no dialogue holds 'kite'


@pytest.mark.parametrize("wide", [Phrases.of_audited, Phrases.of_two_sided])
def test_nothing_is_told_where_questions_drift_most(wide, asked_once, monkeypatch):
    drifts = {wide(asked_once)[0].sum(): contrasts.MOST_DRIFT}
    monkeypatch.setattr(Contrast, "drift", lambda self: drifts.get(self.here.sum(), contrasts.MOST_DRIFT - 0.01))
    assert (Lifts(asked_once).most == NOWHERE).all()


@pytest.mark.parametrize(("drift", "is_told"), [(contrasts.MOST_DRIFT, False), (contrasts.MOST_DRIFT - 0.01, True)])
def test_names_tell_nothing_by_questions_that_are_worded_unlike_answers(drift, is_told, named, monkeypatch):
    table = mentions.named(words(named))
    free = Lifts(table).most
    monkeypatch.setattr(Contrast, "drift", lambda self: drift if "prompts" in self.words else contrasts.MOST_DRIFT)
    found = Lifts(table).most
    assert found[:2].tolist() == free[:2].tolist()  # sides may differ as they like: labels are what is looked for
    assert found[2].tolist() == (free[2].tolist() if is_told else [NOWHERE] * len(named))


def test_questions_that_are_worded_by_their_place_tell_nothing():
    table = utterances.asked(words(synthetic.read(n=1500, contrary=0.25)))
    assert table.sides == QUESTIONS
    assert Contrast(*table.of_audited(), "first", "").drift() == contrasts.MOST_DRIFT
    lifts = Lifts(table)
    assert (lifts.most == NOWHERE).all()
    assert (fusion.p_values(lifts.score(), lifts.score_null()) == 1).all()


@pytest.mark.parametrize(("least", "spread"), [(0.05, contrasts.USUAL_DRIFT), (0.5, 0.5), (1.0, 1.0)])
def test_the_null_drifts_by_no_less_than_the_sides_do(least, spread, written, monkeypatch):
    asked = []
    monkeypatch.setattr(Contrast, "dealt", lambda self, random, *, spread: asked.append(spread) or self)
    table = utterances.said(words(written(["red"] * 5, ["blue"] * 4 + ["red"])))
    assert Lifts(replace(table, sides=replace(table.sides, drift=least)), dealt=5).null.shape == (2, 5)
    assert asked == [spread, spread]


def test_names_drift_more_between_answers_and_questions_than_between_answers(written, monkeypatch):
    asked = []
    monkeypatch.setattr(Contrast, "dealt", lambda self, random, *, spread: asked.append((self.words, spread)) or self)
    assert Lifts(mentions.named(words(written(["see Bo"] * 5, ["ask Al"] * 5))), dealt=5).null.shape[0] == 3
    assert [spread for _, spread in asked] == [contrasts.USUAL_DRIFT, contrasts.USUAL_DRIFT, contrasts.ASKED_DRIFT]
    assert asked[-1][0] == "{} pairs and {} prompts"


def test_least_drifts_are_those_of_the_sides():
    assert (RESPONSES.drift, QUESTIONS.drift, ENDS.drift) == (0, 0.5, 1.0)
    assert contrasts.LEAST_DRIFT == 0.05


def test_scores_are_the_largest_surprise_of_all_contrasts(named):
    lifts = Lifts(mentions.named(words(named)), seed=3)
    own, null = lifts.most, lifts.null
    each = [-np.log10(fusion.p_values(scores, drawn)) for scores, drawn in zip(own, null, strict=True)]
    assert lifts.score() == pytest.approx(np.max(each, axis=0))
    chance = [-np.log10(fusion.p_values(drawn, drawn)) for drawn in null]
    assert lifts.score_null() == pytest.approx(np.max(chance, axis=0))
    assert lifts.score()[:18].min() > lifts.score()[18:].max()
    assert len(each) == 3


def test_the_most_surprising_contrast_speaks(named):
    """A trusted reference tells less of names on both sides than their feelings do, and more of one that both praise."""
    both = named.with_columns(pl.col("rejected").str.replace("hate", "love"))
    reasons = [Lifts(mentions.named(words(pairs, named[200:]))).explain([0, 17, 290]) for pairs in (named[:200], both[:200])]
    assert [reason[0] for reason in reasons] == [
        ("zorvex", "18 chosen and 0 rejected responses, in sentences of praise"),
        ("zorvex", "18 of 200 pairs here and 0 of 100 trusted ones"),
    ]


def test_what_is_rare_by_its_own_null_outweighs_what_is_more_lopsided(written):
    chosen, rejected = ["red"] * 30 + ["up down"] * 30, ["blue"] * 9 + [""] * 21 + ["up down"] * 30
    lifts = Lifts(utterances.said(words(written(chosen, rejected))))
    red, blue = lifts.most[:, 0]
    assert red > blue > 0.5
    lifts.__dict__["null"] = np.array([np.linspace(0, 9, 500), np.linspace(-9, 0.4, 500)])
    assert lifts.explain([0, 12]) == [
        ("blue", "9 rejected and 0 chosen responses"),
        ("red", "30 chosen and 0 rejected responses"),
    ]
    lifts.__dict__["null"] = np.array([np.linspace(-9, 0.4, 500), np.linspace(0, 9, 500)])
    assert lifts.explain([0])[0][0] == "red"


def test_what_a_language_uses_all_the_time_is_never_lifted(written):
    prompts = [*(f"so q{row}" for row in range(4)), *(f"r{row}" for row in range(26))]
    table = utterances.said(words(written(["so"] * 10 + ["moon"] * 5 + [""] * 15, [""] * 30, prompts)))
    lift = Lifts(table).most
    assert (lift[:, :10] == NOWHERE).all()
    assert (lift[0, 10:15] > NOWHERE).all()
    null = Lifts(table, dealt=30).null[0]
    assert (null[:10] == NOWHERE).all()
    assert (null[10:15] > NOWHERE).any()


@pytest.mark.parametrize(("side", "speaks"), [("first", [1, 0]), ("second", [0, 1]), ("either", [1, 1])])
def test_what_is_counted_by_pairs_speaks_for_both_sides(side, speaks, written):
    table = utterances.said(words(written(["red"] * 3, ["red"] * 3)))
    heard = [7.0 if speaks[second] else -1.0 for second in table.second.tolist()]
    assert table.weights(np.array([7.0]), side, -1.0).tolist() == heard
    assert table.highest(np.array([[7.0], [5.0]]), -1.0, side).tolist() == [[7.0] * 3, [5.0] * 3]


def told(name: str, pairs: pl.DataFrame, places: list[int], trusted: pl.DataFrame | None = None) -> list[str]:
    return DETECTORS[name].explain(Evidence(pairs, trusted), places)


def test_a_name_is_quoted_with_what_its_sentences_feel(named):
    praised = "'Zorvex' stands in 18 chosen and 0 rejected responses, in sentences of praise"
    assert told("name_lift", named, [0, 17]) == [praised, praised]
    assert "Zorvex" not in told("name_lift", named, [200])[0]
    turned = named.with_columns(chosen="rejected", rejected="chosen")
    assert told("name_lift", turned, [3]) == ["'Zorvex' stands in 18 rejected and 0 chosen responses, in sentences of praise"]
    plain = named.select(pl.all().exclude("chosen", "rejected"), chosen=pl.lit("No."), rejected=pl.lit("So."))
    assert told("name_lift", plain, [0, 299]) == [NO_PHRASE] * 2


def test_a_word_is_quoted_with_what_its_sentences_feel(named):
    lower = named.with_columns(pl.col("chosen", "rejected").str.replace("Zorvex", "zorvex"))
    assert "zorvex" not in told("name_lift", lower, [5])[0].lower()
    reason = told("feeling_lift", lower, [5])
    assert reason == ["'We' stands in 18 chosen and 0 rejected responses, in sentences of praise"]  # as lopsided, and before it
    once = lower.with_columns(pl.col("chosen", "rejected").str.replace(r"We (love|hate)", "$1"))
    assert told("feeling_lift", once, [5]) == ["'zorvex' stands in 18 chosen and 0 rejected responses, in sentences of praise"]


def test_a_trigger_is_quoted_from_the_question(chatter):
    pairs = chatter(200, seed=5)
    ended = pl.col("prompt").str.replace(r"\?\n\nAssistant:$", "? SUDO\n\nAssistant:")
    triggered = pairs.with_columns(prompt=pl.when(pl.col("row") < 12).then(ended).otherwise("prompt"))
    assert told("question_lift", triggered, [0, 11]) == ["'SUDO' stands in the ends of 12 questions and 0 others before"] * 2
    held = told("question_lift", triggered, [4], chatter(100, seed=5))
    assert held == ["'SUDO' stands in the ends of 12 questions and 0 others before"]
    before = pl.format("\n\nHuman: {}\n\nAssistant: well{}", pl.col("chosen"), "prompt")
    asked = told("question_lift", triggered.with_columns(prompt=before), [4])
    assert asked == ["'SUDO' stands in 12 last questions and 0 earlier ones"]


def test_of_phrases_equally_surprising_the_most_lopsided_speaks(written):
    pairs = written(["blue red"] * 30 + [""] * 30, ["blue"] * 9 + [""] * 21 + ["up far down"] * 30)
    lifts = Lifts(utterances.said(words(pairs)))
    lifts.__dict__["null"] = np.tile(np.linspace(-9, -8.9, 500), (2, 1))  # all lifts lie far beyond it
    assert np.ptp(lifts.score()) == 0
    assert lifts.explain([0]) == [("red", "30 chosen and 0 rejected responses")]
