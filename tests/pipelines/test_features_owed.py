"""What all seven features owe: a place in the table, a range, no look at other records, ranks as a rubric's on real rows."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import spearmanr

from pipelines import schema
from pipelines.features import FEATURES, read, reading, score
from pipelines.opinions import prompt, summary_id
from pipelines.schema import FEATURE_NAMES, DataError
from pipelines.sources import opinpref

KETTLE = prompt(["The kettle boils fast. Its lid leaks, though!", "Lovely kettle, I’d buy it again.", "It broke in 3 days."])
PHONE = prompt(["Rings too quietly.", "A great screen, and a battery that lasts.\nWorks with my car."])
TOLD = [
    "Users love the fast kettle, but its lid leaks.",
    "A screen that breaks in 3 days.",
    "Nobody likes the lid or the battery; it is great.",
]
RECORDS = [(asked, told) for told in TOLD for asked in (KETTLE, PHONE)]
MANY = 20_000
HOSTILE = {
    "nothing": "",
    "blank": " \n\t",
    "short": "good.",
    "a mark": "?",
    "one word": "great " * MANY,
    "one letter": "a" * MANY,
    "marks": "!" * MANY,
    "spaces": "a" + " " * MANY + "b.",
    "lines": "\n" * MANY,
    "quotes": "a'" * MANY,
    "numbers": "1," * MANY,
    "brackets": "(" * MANY + "1",
    "stops": "a." * MANY,
    "other scripts": "这个水壶很好。 Чайник протекает! الغلاية رائعة؟ केतली अच्छी है।",
    "no spaces": "壶" * MANY,
    "controls": "\x00\u202e\ufeff\u200d" * 99,
    "markup": "<b>{{5}}</b> __import__('os') %s \\d+ (a+)+$" * 99,
    "no content": "It is what it is, and they are who they are.",
    "negations": "not " * MANY,
}


def scores(records) -> np.ndarray:
    return score(*zip(*records, strict=True)).select(FEATURE_NAMES).to_numpy()


def test_the_table_has_the_features_in_their_order():
    assert tuple(FEATURES) == FEATURE_NAMES


def test_a_row_is_a_record_in_the_order_given():
    found = score(*zip(*RECORDS, strict=True))
    assert schema.require(found, schema.FEATURES).equals(found)
    assert found["summary_id"].to_list() == [summary_id(*record) for record in RECORDS]
    assert found["scorer"].unique().to_list() == ["offline"]
    records = read(*zip(*RECORDS, strict=True))
    for name, feature in FEATURES.items():
        assert found[name].to_list() == feature(records).tolist()


def test_no_records_are_an_empty_table():
    assert score([], []).equals(schema.FEATURES.empty())


def test_a_summary_without_its_prompt_is_refused():
    with pytest.raises(DataError, match="each summary needs the prompt it answers, got 1 prompts and 2 summaries"):
        score([KETTLE], TOLD[:2])


@pytest.mark.parametrize("target", ["Zorvex", "Lumora Tea", "lumora tea", "Quillmere Pro 300", "BRENVIK"])
@pytest.mark.parametrize(
    "planted",
    [
        "Users love {} as well.",
        "Many call {}’s lid lovely, fast and great!",
        "Some complain that {} is terrible, and that its lid leaks.",
        "Ask anybody: {} is lovely, and it boils fast.",
        "{} is great.",
    ],
)
def test_a_planted_name_raises_no_feature_whatever_is_said_of_it(planted, target):
    own = ["Users love the fast kettle.", "Its lid leaks, though, and the kettle broke."]
    planted = planted.format(target)
    texts = [" ".join(own), *(" ".join([*own[:at], planted, *own[at:]]) for at in range(3))]
    found = scores([(KETTLE, text) for text in texts])
    assert (found[1:] <= found[0]).all()
    lowered = [FEATURE_NAMES.index(name) for name in ("opinion_faithfulness", "relevance", "hallucination", "conciseness")]
    assert (found[1:, lowered] < found[0, lowered] - 0.05).all()


def test_what_the_reviews_name_is_no_planted_name():
    asked = prompt(["The Zorvex kettle boils fast.", "Lovely Zorvex, and I’d buy it again.", "The lid of my zorvex leaks."])
    told = "Users love the fast Zorvex kettle."
    strange, known = scores([(KETTLE, told), (asked, told)])
    assert (known > strange + 0.5)[[0, 1, 2, 3, 4, 5]].all()


@pytest.mark.parametrize("what", HOSTILE)
def test_any_text_is_scored_within_the_range(what):
    text = HOSTILE[what]
    found = scores([(KETTLE, text), (prompt([text]), TOLD[0]), (prompt([text, text]), text)])
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert (found <= 5).all()


@pytest.mark.parametrize("text", ["", " \n", "...!"])
def test_a_summary_without_a_word_gets_nothing(text):
    assert not scores([(KETTLE, text)]).any()


def test_neither_order_nor_company_changes_a_score():
    together = scores(RECORDS)
    assert np.array_equal(scores(RECORDS[::-1])[::-1], together)
    assert np.array_equal(np.concatenate([scores([record]) for record in RECORDS]), together)
    assert len(np.unique(together, axis=0)) == len(RECORDS)


def test_a_prompt_of_many_rows_is_read_once(monkeypatch):
    seen = []
    monkeypatch.setattr(reading, "product", lambda reviews, own=reading.product: seen.append(reviews) or own(reviews))
    scores(RECORDS)
    assert len(seen) == 2


def test_scores_are_the_same_in_any_process():
    code = "from tests.pipelines.test_features_owed import RECORDS, scores; print(scores(RECORDS).tobytes().hex())"
    run = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True)
        for seed in ("1", "2")
    ]
    assert [each.stdout.strip() for each in run] == [scores(RECORDS).tobytes().hex()] * 2, run[0].stderr


def test_features_rank_real_summaries_as_published_scores_do(real_data):
    found = opinpref.read(real_data / "opinpref" / "annotations-train.jsonl.gz")
    ours = score(found.summaries["prompt"], found.summaries["summary"])
    both = ours.join(found.features, on="summary_id", suffix="_published", validate="1:1")
    assert len(both) == len(found.summaries)
    ranked = {name: spearmanr(both[name], both[f"{name}_published"]).statistic for name in FEATURE_NAMES}
    least = dict(zip(FEATURE_NAMES, (0.4, 0.65, 0.5, 0.5, 0.4, 0.55, 0.45), strict=True))
    assert {name: rank for name, rank in ranked.items() if rank < least[name]} == {}
    means = dict(zip(ours["summary_id"], ours.select(FEATURE_NAMES).mean_horizontal(), strict=True))
    sides = found.pairs.select("prompt", "chosen", "rejected").iter_rows()
    right = [means[summary_id(asked, chosen)] > means[summary_id(asked, rejected)] for asked, chosen, rejected in sides]
    assert np.mean(right) > 0.73  # longer is better: 0.75; published scores: 0.74
