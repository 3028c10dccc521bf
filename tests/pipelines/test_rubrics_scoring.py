"""What scoring asks, what it makes of the replies, and which summaries it rejects."""

import pytest

from pipelines import rubrics
from pipelines.opinions import prompt, summary_id
from pipelines.rubrics import wording
from pipelines.schema import FEATURE_NAMES, FEATURES, REJECTS, DataError
from tests.pipelines.chat_stub import first_choice
from tests.pipelines.judges import PROMPT, careful, feature_of, read, said

OTHER = prompt(["A good fit at a low price."])
PROMPTS = [PROMPT, PROMPT, OTHER, PROMPT]
SUMMARIES = ["The battery lasts.", "A fair price, an odd fit, a dull screen.", "The battery fits at any price.", "No aspect."]
SHARED = [1, 3, 2, 0]  # aspects that each names, of those in its reviews


@pytest.fixture
def score(stub):
    stub.script = careful

    def asked(prompts=PROMPTS, summaries=SUMMARIES, **numbers):
        return rubrics.score(prompts, summaries, base_url=stub.base_url, **numbers)

    return asked


def test_marks_stand_in_the_order_of_the_input_and_of_the_features(score):
    scored = score(concurrency=3)
    assert scored.features.schema == FEATURES.empty().schema
    assert scored.features["summary_id"].to_list() == [summary_id(*pair) for pair in zip(PROMPTS, SUMMARIES, strict=True)]
    by_hand = [tuple(shared + eighths / 8 for eighths in range(7)) for shared in SHARED]
    assert scored.features.select(FEATURE_NAMES).rows() == by_hand
    assert (len(scored.rejects), scored.asked, scored.cached, scored.asked_again) == (0, 28, 0, 0)


def test_the_scorer_is_the_model_or_the_server_with_the_rubrics(score, stub):
    assert set(score(model="tiny").features["scorer"]) == {wording.scorer("tiny")}
    assert {body["model"] for body in stub.bodies} == {"tiny"}
    stub.asked.clear()
    assert set(score().features["scorer"]) == {wording.scorer(stub.base_url)}
    assert not any("model" in body for body in stub.bodies)


def test_a_password_in_the_address_is_no_part_of_the_scorer(stub):
    stub.script = careful
    scored = rubrics.score([PROMPT], ["Fine."], base_url=stub.base_url.replace("//", "//ann:hush@") + "/")
    assert scored.features["scorer"].to_list() == [wording.scorer(stub.base_url)]


def test_a_request_asks_for_a_reason_and_a_number(score, stub):
    score(PROMPTS[:1], SUMMARIES[:1], max_tokens=77)
    for body in stub.bodies:
        assert set(body) == {"messages", "max_tokens", "seed", "temperature", "response_format"}
        assert (body["max_tokens"], body["seed"], body["temperature"]) == (77, 0, 0)
        assert [message["role"] for message in body["messages"]] == ["system", "user"]
        assert body["response_format"]["type"] == "json_schema"
        schema = body["response_format"]["json_schema"]["schema"]
        assert {name: kind["type"] for name, kind in schema["properties"].items()} == {"reason": "string", "score": "number"}
        assert list(schema["properties"]) == schema["required"] == ["reason", "score"]
    assert [feature_of(body) for body in stub.bodies] == list(FEATURE_NAMES)


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_the_schema_is_asked_without_it_once_and_for_all(score, stub, status):
    stub.script = lambda body: (status, {"error": "no response_format"}) if "response_format" in body else careful(body)
    scored = score(concurrency=1)
    assert (scored.asked, len(stub.bodies)) == (28, 29)
    assert [place for place, body in enumerate(stub.bodies) if "response_format" in body] == [0]
    assert scored.features["relevance"].to_list() == [shared + 4 / 8 for shared in SHARED]


def test_a_template_without_a_system_is_told_all_in_one(score, stub):
    stub.script = lambda body: (400, {"error": "no system"}) if len(body["messages"]) > 1 else careful(body)
    scored = score(PROMPTS[:1], SUMMARIES[:1], concurrency=1)
    assert (scored.asked, len(stub.bodies)) == (7, 9)
    assert stub.bodies[-1]["messages"][0]["role"] == "user"
    assert stub.bodies[-1]["messages"][0]["content"].startswith(wording.SYSTEM)


def test_one_request_that_is_refused_in_every_manner_changes_none_for_the_rest(score, stub):
    def narrow(body):
        return (400, {"error": "too long"}) if "No aspect." in read(body)[1] else careful(body)

    stub.script = narrow
    scored = score([PROMPT, *PROMPTS[:3]], [SUMMARIES[3], *SUMMARIES[:3]], concurrency=1)
    assert "response_format" in stub.bodies[-1]
    assert scored.rejects["row"].to_list() == [0]
    assert "aspect_coverage" in scored.rejects["cause"][0]
    assert "too long" in scored.rejects["cause"][0]


@pytest.mark.parametrize("bad", ["No idea.", '{"score": 6}', '{"score": NaN}', None])
def test_a_reply_without_a_mark_is_asked_for_again_with_another_seed(score, stub, bad):
    stub.script = lambda body: careful(body) if body["seed"] == 2 or feature_of(body) != "relevance" else bad
    scored = score(PROMPTS[:1], SUMMARIES[:1], concurrency=1)
    asked = [(body["seed"], body["temperature"] > 0) for body in stub.bodies if feature_of(body) == "relevance"]
    assert asked == [(0, False), (1, True), (2, True)]
    assert scored.features["relevance"].to_list() == [1 + 4 / 8]
    assert (scored.asked, scored.asked_again) == (7, 2)


def test_a_number_that_was_cut_is_asked_for_again(score, stub):
    def cut(body):
        told = first_choice("Fair. Score: 4" if body["seed"] == 0 else "Fair. Score: 4.75")
        told["choices"][0]["finish_reason"] = "stop" if body["seed"] else "length"
        return 200, told

    stub.script = cut
    scored = score(PROMPTS[:1], SUMMARIES[:1])
    assert scored.features.row(0)[2:] == (4.75,) * 7
    assert scored.asked_again == 7


def test_a_summary_without_a_mark_is_rejected_by_name_and_the_rest_are_kept(score, stub):
    def mute(body):
        is_hard = feature_of(body) == "conciseness" and read(body)[1][-1] == SUMMARIES[1]
        return "No idea." if is_hard else careful(body)

    stub.script = mute
    scored = score(retries=1)
    assert scored.features["aspect_coverage"].to_list() == [1, 2, 0]
    assert scored.rejects.schema == REJECTS.empty().schema
    assert scored.rejects.drop("cause").rows() == [("summaries", 2, 1)]
    cause = scored.rejects["cause"][0]
    assert cause.startswith(f"summary {summary_id(PROMPT, SUMMARIES[1])}: conciseness: the reply holds no score: 'No idea.'")
    assert (scored.asked, scored.asked_again) == (3 * 7 + 4, 1)


def test_a_summary_that_comes_twice_is_asked_about_once(score, stub):
    scored = score([*PROMPTS, PROMPT], [*SUMMARIES, SUMMARIES[1]])
    assert (len(scored.features), len(stub.asked), scored.cached) == (4, 28, 0)
    stub.script = lambda body: "No idea." if read(body)[1][-1] == SUMMARIES[1] else careful(body)
    assert score([*PROMPTS, PROMPT], [*SUMMARIES, SUMMARIES[1]]).rejects["row"].to_list() == [1]


def test_no_summaries_ask_nothing(score, stub):
    scored = score([], [], controls=True)
    assert (len(scored.features), len(scored.rejects), len(stub.asked)) == (0, 0, 0)
    assert scored.features.schema == FEATURES.empty().schema


def test_prompts_and_summaries_must_pair_up(score, stub):
    with pytest.raises(DataError, match="got 4 prompts and 3 summaries"):
        score(PROMPTS, SUMMARIES[:3])
    assert stub.asked == []


def test_a_number_that_is_one_is_no_other(score, stub):
    stub.script = lambda body: said(FEATURE_NAMES.index(feature_of(body)) * 0.75)
    assert score(PROMPTS[:1], SUMMARIES[:1]).features.row(0)[2:] == (0, 0.75, 1.5, 2.25, 3, 3.75, 4.5)
