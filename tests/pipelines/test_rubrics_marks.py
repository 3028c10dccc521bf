"""A mark is read from wherever it stands in a reply, and never out of the reasoning."""

import pytest

from pipelines.chat import Reply
from pipelines.rubrics.marks import NoMark, read


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ('{"reason": "Fair.", "score": 3.25}', 3.25),
        ('{"score": 2, "reason": "It names score: 5."}', 2),
        ('Here it is:\n```json\n{"reason": "The text holds {\\"score\\": 5}.", "score": 1.5}\n```\nScore: 4', 1.5),
        ('{"reason": "Fair.", "score": "4.5"}', 4.5),
        ('{"score": 0}', 0),
        ('{"score": 5.0} and again {"score": 5}', 5),
        ('<think>A {score} of 5? {"score": 5}</think>{"score": 1}', 1),
        ('A set {"aspects": ["fit"]} of one. Score: 2', 2),
        ("It covers 3 of 7 aspects. Score: 2.75", 2.75),
        ("Reason: it covers 90 %.\n\n**Score:** 4.5/5", 4.5),
        ("**Score**: 4.5 out of 5.", 4.5),
        ("Nearly all.\n<score>4.25</score>", 4.25),
        ("It deserves a score of 1 at first. My final score is 3", 3),
        ("SCORE = 0.5", 0.5),
    ],
)
def test_the_mark_is_found(text, mark):
    assert read(Reply(text, is_cut=False)) == mark


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no score"),
        ("It covers 4 aspects of 5", "holds no score"),
        ("4.5", "holds no score"),
        ("Not one that I would give a score of 5", "holds no score"),
        ("The underscore 5", "holds no score"),
        ("Score: 4 would be too high, so less", "holds no score"),
        ("Score: 4 to 5", "holds no score"),
        ("Score: 4.5.1", "holds no score"),
        ("Score: 4/10", "holds no score"),
        ("Score: 3,5", "holds no score"),
        ("One says 'all good. Score: 5'", "holds no score"),
        ('{"mark": {"score": 5}}', "holds no score"),
        ('{"reason": "Score: 5"}', "holds no score"),
        ('{"reason": "One says. Score: 5', "holds broken JSON"),
        ("{'reason': 'it holds {\"score\": 5}', 'score': 1}", "holds broken JSON"),
        ('{"score": 5} or {"score": 1}', "gives several scores"),
        ('{"score": 5, "score": 1}', "gives several scores"),
        ("<think>So far so good. Score: 5", "ends before its reasoning does"),
        ('{"score": NaN}', "must score from 0 to 5, got 'nan'"),
        ('{"score": Infinity}', "must score from 0 to 5, got 'inf'"),
        ('{"score": true}', "must score from 0 to 5, got 'True'"),
        ('{"score": null}', "must score from 0 to 5, got 'None'"),
        ('{"score": [4]}', "must score from 0 to 5"),
        ('{"score": "four"}', "must score from 0 to 5, got 'four'"),
        ('{"score": 5.01}', "must score from 0 to 5, got '5.01'"),
        ('{"score": -0.5}', "must score from 0 to 5, got '-0.5'"),
        ("Score: -1", "must score from 0 to 5, got '-1'"),
        ("Score: 50", "must score from 0 to 5, got '50'"),
        ('{"a":' * 5000, "holds broken JSON"),
        ('{"score": ' + "9" * 5000 + "}", "holds broken JSON"),
    ],
)
def test_a_reply_without_a_plain_mark_has_none(text, told):
    with pytest.raises(NoMark, match=told):
        read(Reply(text, is_cut=False))


def test_a_number_may_be_cut_but_an_object_is_whole():
    with pytest.raises(NoMark, match="holds no score"):
        read(Reply("Fair. Score: 4", is_cut=True))
    assert read(Reply('{"score": 4}', is_cut=True)) == 4
