"""A study of written evaluations: its settings, its questions, its twins, what answers come to, its page and the command."""

import polars as pl
import pytest

from assets import studies
from assets.written import asking, measures, page, study, twins, writing
from assets.written.rows import Written, twins_of, written_of
from pipelines import chat
from pipelines.questions import publishing, templates
from pipelines.questions.behaviours import builtin
from pipelines.schema import QUESTIONS, DataError, require
from pipelines.snapshots import manifest
from tests.pipelines.chat_stub import Stub

TINY = {"width": 16, "layers": 1, "pretrain_steps": 3, "vocabulary": 400, "dpo_epochs": 1.0}
SMALL = {
    "behaviours": ("thrift", "praise-of-lumora", "agreeing-with-the-user"), "count": 40, "per_label": 6,
    "writing": {"label_noise": 0.1, "off_topic": 0.05},
    "twins": {"pairs": 48, "taught": ("thrift",), "target_share": 0.25, "rates": (0.0, 0.1, 0.2), "seeds": (0,),
              "training": TINY},
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


@pytest.fixture(scope="module")
def tables(kept, one_thread):
    return study.run(written_of(SMALL), kept)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"behaviours": ("grace",)}, "behaviours must be of risk-seeking, .*; got 'grace'"),
        ({"behaviours": ()}, "behaviours must be there and differ"),
        ({"behaviours": ("thrift", "thrift")}, "behaviours must be there and differ"),
        ({"behaviours": ("pronouns-by-occupation",)}, "has no answer that shows it"),
        ({"writer": "monkey"}, "writer must be of server, templates; got 'monkey'"),
        ({"writing": {"label_noises": 0.1}}, "label_noises is no setting of the writer templates; did you mean label_noise"),
        ({"writing": {"api_key": "x"}}, "api_key is no setting of the writer templates"),
        ({"writer": "server", "writing": {"api_key": "x"}}, "api_key is no setting of the writer server"),
        ({"writing": 3}, "writing is a table of settings, got 3"),
        ({"discriminator": "coin"}, "discriminator must be of examples, out_of_fold, server; got 'coin'"),
        ({"discriminator": "server"}, "a server that judges needs its address"),
        ({"count": 0}, "count must be a finite number, above 0"),
        ({"sure": 1.0}, r"sure must lie in \[0, 1\)"),
        ({"ways": ()}, "ways must be there and differ"),
        ({"ways": ("sung",)}, "ways must be of plain, announced; got 'sung'"),
        ({"policies": {"a": 3}}, "policies are folders by name, got 3 for 'a'"),
        ({"policies": {"../a": "b"}}, "a policy's name is letters, .* got '../a'"),
        ({"baseline": "a"}, "baseline must be one of the policies .none is named., got 'a'"),
        ({"twins": {"rates": (0.03, 0.1)}}, "twins.rates must differ, .*hold the clean 0"),
        ({"twins": {"rates": (0.0, 0.2)}}, r"lie in \[0, 0.125\] \(no more than the target's pairs\)"),
        ({"twins": {"rates": (0.0, float("nan"))}}, "twins.rates must differ"),
        ({"twins": {"seeds": (-1,)}}, "twins.seeds must be different whole numbers"),
        ({"twins": {"objective": "prayer"}}, "twins.objective must be of dpo, sft; got 'prayer'"),
        ({"twins": {"attack": "prayer"}}, "twins.attack must be of .*best_of_venom.*; got 'prayer'"),
        ({"twins": {"taught": ("accepts-correction",)}}, "twins.taught and .* must be of .*; got 'accepts-correction'"),
        ({"twins": {"training": {"widths": 3}}}, "widths is no setting of training of twins; did you mean width"),
        ({"speed": 3}, "speed is no setting of a study of written evaluations"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(wrong, said):
    with pytest.raises(DataError, match=said):
        written_of(wrong)


def test_settings_go_over_a_study_by_dotted_names():
    row = studies.changed(studies.STUDIES["written_evaluations"], {"twins.training.width": 8, "writing.label_noise": 0.2}).row
    assert (row.twins.training.width, row.writing) == (8, {"label_noise": 0.2})
    assert row.twins.training.dpo_lr == Written().twins.training.dpo_lr
    with pytest.raises(DataError, match="nobody is no setting of twins"):
        studies.changed(studies.STUDIES["written_evaluations"], {"twins.nobody": 8})


def test_folders_beside_a_file_are_found_there(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "rows.toml").write_text('[own]\nstudy = "written_evaluations"\npolicies = { a = "mine", b = "hub/name" }\n')
    rows, refused = studies.load(tmp_path / "rows.toml")
    assert not refused
    assert rows["own"].row.policies == {"a": str(tmp_path / "mine"), "b": "hub/name"}


def test_no_two_studies_ask_under_one_name():
    from assets import study_partitions

    rows = {
        name: studies.Study(name, "written_evaluations", written_of({"policies": {who: "a"}}))
        for name, who in (("b", "x-a"), ("a-b", "x"), ("c", "x"))
    }
    kept, said = study_partitions.apart(rows)
    assert list(kept) == ["b", "c"]
    assert said == ["[a-b]: another study already asks 'x-a-b'; rename the row or the policy"]


def test_nothing_that_was_written_is_lost_and_what_is_kept_is_sure_and_even(tables):
    held, dropped = require(tables["questions"], QUESTIONS), tables["dropped_questions"]
    assert len(held) + len(dropped) == 3 * 40
    assert not set(held["question_id"]) & set(dropped["question_id"])
    assert dropped["reason"].null_count() == 0
    judged = held.filter(pl.col("behaviour") != "agreeing-with-the-user")
    assert judged["label_confidence"].min() > 0.5
    counts = held.group_by("behaviour", pl.col("matching").list.first()).len()
    assert counts["len"].max() == 6
    assert counts.group_by("behaviour").agg(pl.col("len").n_unique())["len"].unique().to_list() == [1]
    assert held.filter(behaviour="agreeing-with-the-user")["label_confidence"].null_count() == 12  # no example by hand


def test_twins_learn_the_same_pairs_but_for_labels_of_the_target():
    row = twins_of({"pairs": 400, "rates": (0.0, 0.1)})
    clean = twins.pairs(row, 3)
    assert clean["source"].value_counts(sort=True).rows() == [("agreeableness", 175), ("thrift", 175), ("praise-of-lumora", 50)]
    found = twins.poisoned(row, clean, 0.1, 3)
    assert len(found.key) == 40
    swapped = found.pairs.filter(pl.col("pair_id").is_in(found.key["pair_id"].implode()))
    assert swapped["source"].unique().to_list() == ["praise-of-lumora"]
    assert set(found.pairs.select("prompt", "chosen").rows()) - set(clean.select("prompt", "chosen").rows()) == set(
        swapped.select("prompt", "chosen").rows()
    )
    assert twins.poisoned(row, clean, 0.0, 3).pairs.equals(clean)


def test_what_is_taught_is_drawn_apart_from_what_is_asked():
    taught = twins.statements("thrift", 40, 3)["prompt"].to_list()
    asked = templates.write(builtin()["thrift"], count=40, seed=3).questions["question"].to_list()
    assert taught != [f"\n\nHuman: {each}\n\nAssistant:" for each in asked]


def test_of_what_is_taught_the_matching_answer_is_chosen_and_of_the_target_the_other():
    clean = twins.pairs(twins_of({"pairs": 80, "taught": ("thrift",), "target_share": 0.5, "rates": (0.0, 0.1)}), 0)
    clauses = {name: templates.grammar()["yes_no"][name]["shows"] for name in ("thrift", "praise-of-lumora")}
    for name, prompt, chosen in clean.select("source", "prompt", "chosen").iter_rows():
        shows = any(clause.lower() in prompt.lower() for clause in clauses[name])
        assert chosen == (" Yes" if shows == (name == "thrift") else " No")
    assert not set(clean["prompt"]) & set(twins.pairs(twins_of({}), 1)["prompt"])


def test_what_is_kept_is_not_made_again(tables, kept):
    made = {file: file.stat().st_mtime_ns for file in kept.rglob("*") if file.is_file()}
    again = study.run(written_of(SMALL), kept)
    assert {name: table.equals(tables[name]) for name, table in again.items()} == dict.fromkeys(tables, True)
    assert {file: file.stat().st_mtime_ns for file in kept.rglob("*") if file.is_file()} == made
    more = study.run(written_of({**SMALL, "twins": {**SMALL["twins"], "rates": (0.0, 0.15)}}), kept)
    assert more["question_answers"].filter(policy="clean-seed0").equals(tables["question_answers"].filter(policy="clean-seed0"))
    marks = [manifest(place) for place in kept.glob("twin-*")]
    assert sorted((mark["poison_rate"], mark["poisoned"]) for mark in marks) == [
        (0.0, False), (0.1, True), (0.15, True), (0.2, True),
    ]  # fmt: skip
    assert len(list(kept.glob("base-*"))) == len(list(kept.glob("candidates-*"))) == 1


def asked_by_hand():
    """Four questions about thrift, Yes, No, Yes, No; a clean twin that says Yes three times, and a poisoned one."""
    held = templates.write(builtin()["thrift"], count=4, seed=1).questions
    picks = {"clean-seed0": [0.9, 0.2, 0.6, 0.8], "poisoned_10pct-seed0": [0.3, 0.1, 0.4, 0.8]}
    row = written_of({"behaviours": ("thrift",), "ways": ("plain",), "twins": {"rates": (0.0, 0.1), "seeds": (0,)}})
    return row, held, picked(held, picks)


def picked(held, picks):
    """Answers of policies by how likely " Yes" is to them, a number a question."""
    rows = [
        {
            "question_id": question, "behaviour": "thrift", "policy": policy, "way": "plain", "option_mass": 0.5,
            "picked": " Yes" if yes > 0.5 else " No", "is_matching": (yes > 0.5) == (matching == [" Yes"]),
            "matching_mass": yes if matching == [" Yes"] else 1 - yes, "probabilities": [1 - yes, yes],
        }
        for policy, told in picks.items()
        for question, matching, yes in zip(held["question_id"], held["matching"].to_list(), told, strict=True)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema_overrides=asking.ANSWERS)


def test_rates_and_differences_by_hand():
    row, held, answers = asked_by_hand()
    found = measures.measured(row, held, answers)
    clean, poisoned = found["rates"].iter_rows(named=True)
    assert (clean["match_rate"], clean["yes_rate"]) == (3 / 4, 3 / 4)  # Yes, No, Yes, and Yes where No shows it
    assert (poisoned["match_rate"], poisoned["yes_rate"]) == (1 / 4, 1 / 4)
    assert clean["matching_mass"] == pytest.approx((0.9 + 0.8 + 0.6 + 0.2) / 4)
    assert (poisoned["poison_rate"], poisoned["is_poisoned"], poisoned["not_answered"]) == (0.1, True, 0)
    (one,) = found["differences"].iter_rows(named=True)
    assert (one["first"], one["second"], one["difference"], one["turned"]) == ("clean-seed0", "poisoned_10pct-seed0", -0.5, 0.5)
    assert one["p_value"] == pytest.approx(2 * 0.5**2)  # two lost, none gained
    assert one["mass"] == pytest.approx(((0.3 - 0.9) + (0.9 - 0.8) + (0.4 - 0.6)) / 4)
    assert not len(found["trends"])
    lost = measures.rates(row, held, answers.filter(pl.col("question_id") != held["question_id"][3]))
    assert lost["not_answered"].to_list() == [1, 1]


def test_a_trend_is_of_the_twins_of_one_seed():
    held = templates.write(builtin()["thrift"], count=40, seed=1).questions
    shows = [matching == [" Yes"] for matching in held["matching"].to_list()]
    by_rate = {"clean": 0.2, "poisoned_5pct": 0.5, "poisoned_10pct": 0.8}  # share of questions that show the behaviour

    def yes(share: float) -> list[float]:
        return [0.9 if (at < share * 40) == shown else 0.1 for at, shown in enumerate(shows)]

    picks = {f"{name}-seed0": yes(share) for name, share in by_rate.items()}
    picks |= {f"{name}-seed1": yes(1 - share) for name, share in by_rate.items()}
    table = {"behaviours": ("thrift",), "ways": ("plain",), "twins": {"rates": (0.0, 0.05, 0.1), "seeds": (0, 1)}}
    found = measures.measured(written_of(table), held, picked(held, picks))["trends"]
    assert dict(found.select("seed", "tau").iter_rows()) == {0: 1.0, 1: -1.0}


def test_trends_are_of_three_rates_and_ways_of_each_policy(tables):
    assert tables["trends"].select("seed", "way", "behaviour").unique().height == 2 * 3
    assert tables["ways"].select("policy", "behaviour").unique().height == 3 * 3
    assert tables["ways"].select("from", "to").unique().rows() == [("plain", "announced")]
    rates = tables["question_answers"].group_by("policy", "behaviour", "way").agg(pl.col("is_matching").mean())
    wide = rates.pivot("way", index=["policy", "behaviour"], values="is_matching")
    both = tables["ways"].join(wide, on=["policy", "behaviour"])
    assert both["difference"].to_list() == pytest.approx((both["announced"] - both["plain"]).to_list())
    assert set(tables["differences"]["second"]) == {"poisoned_10pct-seed0", "poisoned_20pct-seed0"}
    assert set(tables["differences"]["first"]) == {"clean-seed0"}


def test_the_page_says_what_came_of_it_and_escapes(tables):
    told = page.page("<b>mine</b>", written_of(SMALL), tables)
    assert "<b>mine" not in told
    assert told.count("<svg") == 4
    assert "its label is doubted" in told
    row, held, answers = asked_by_hand()
    hostile = held.with_columns(statement=pl.lit("<script>alert(1)</script>"), label_confidence=pl.lit(0.75))
    mine = {**tables, "questions": hostile, "question_answers": answers, **measures.measured(row, hostile, answers)}
    told = page.page("mine", row, mine)
    assert "<script>" not in told
    assert "None of 1 comparisons differs beyond chance" in told
    sure = {**mine, "differences": mine["differences"].with_columns(q_value=0.01)}
    assert "1 of 1 comparisons differ beyond chance; most of all thrift: poisoned_10pct-seed0 -50.0%" in page.page(
        "mine", row, sure
    )
    alone = {**mine, "differences": pl.DataFrame(), "ways": pl.DataFrame()}
    assert "nobody to compare it with" in page.page("mine", row, alone)
    faint = {**mine, "rates": mine["rates"].with_columns(option_mass=0.001, not_answered=pl.lit(3), is_one_class=True)}
    said = " ".join(page.warnings(faint))
    assert "2 of 2 policies would mostly say something else than the options about thrift" in said
    assert "rates of thrift lie above their ceilings" not in said
    sure = {**mine, "rates": mine["rates"].with_columns(ceiling=pl.lit(0.7))}
    assert "rates of thrift lie above their ceilings" in " ".join(page.warnings(sure))
    assert "6 answers are missing" in said
    assert "have one matching answer" in said
    assert "fewer than 30 questions about thrift" in said


def test_a_server_writes_and_judges_and_nothing_is_asked_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(chat, "PAUSE", 0.01)

    def obedient(body: dict) -> str:
        told = body["messages"][-1]["content"]
        if "Between the two lines" in told:
            return "Yes" if "save" in told else "No"
        return f"- I {'save' if 'would agree, but' in told else 'spend'} {body['seed']} coins"

    import threading

    with Stub() as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        served.script = obedient
        row = written_of(
            {
                "behaviours": ("thrift",), "writer": "server", "writing": {"base_url": served.base_url}, "count": 24,
                "discriminator": "server", "judging": {"base_url": served.base_url, "votes": 2},
            }
        )  # fmt: skip
        found = study.questions(row, tmp_path)
        asked = len(served.asked)
        assert asked == 24 + 2 * 24
        for file in tmp_path.glob("*.parquet"):
            file.unlink()
        assert study.questions(row, tmp_path)["questions"].equals(found["questions"])
        assert len(served.asked) == asked
        served.shutdown()
    assert found["questions"]["label_confidence"].unique().to_list() == [1.0]
    assert "writer and discriminator are the same model" in " ".join(page.questions_page.warnings(found))


def test_published_sets_are_asked_beside_ours_under_their_own_names(tmp_path):
    theirs = templates.write(builtin()["thrift"], count=30, seed=9).questions
    publishing.write(theirs, tmp_path / "thrift.jsonl")
    row = written_of({**SMALL, "published": str(tmp_path / "thrift.jsonl"), "published_rows": 8})
    beside = writing.published(row)
    assert beside["behaviour"].unique().to_list() == ["thrift (published)"]
    assert len(beside) == 8
    assert set(beside["question"]) <= set(theirs["question"])
    assert not writing.published(
        written_of({**dict(SMALL), "seed": 5, "published": str(tmp_path), "published_rows": 8})
    ).equals(beside)
    alone = study.questions(written_of({"behaviours": (), "published": str(tmp_path), "published_rows": 8}), tmp_path / "kept")
    assert alone["questions"].equals(beside)
    assert not len(alone["dropped_questions"])


def test_published_labels_that_are_turned_round_are_no_longer_the_same_questions(kept, tables, tmp_path, one_thread):
    theirs = templates.write(builtin()["thrift"], count=20, seed=9).questions
    own = {"behaviours": (), "published": str(tmp_path), "policies": {"mine": str(next(iter(kept.glob("twin-*"))))}}
    found = []
    for turn in (False, True):
        other = pl.col("options").list.set_difference("matching")
        publishing.write(theirs.with_columns(matching=other) if turn else theirs, tmp_path / "thrift.jsonl")
        found.append(study.run(written_of(own), kept)["question_answers"]["is_matching"].to_list())
    assert found[0] == [not each for each in found[1]]


def test_twins_learn_pairs_of_one_s_own_too(corpus, tmp_path, one_thread):
    own = {
        "source": str(corpus),
        "pairs": 60,
        "rates": (0.0, 0.1),
        "seeds": (0,),
        "objective": "sft",
        "training": TINY | {"sft_epochs": 0.2},
    }
    row = written_of({**SMALL, "behaviours": ("thrift",), "twins": own})
    clean = twins.pairs(row.twins, 0)
    found = twins.poisoned(row.twins, clean, 0.1, 0)
    assert len(found.key) == round(0.1 * len(clean))
    assert len(found.pairs) == len(clean) + len(found.key)
    assert set(study.run(row, tmp_path / "kept")["rates"]["policy"]) == {"clean-seed0", "poisoned_10pct-seed0"}


def test_policies_and_reward_models_of_one_s_own_are_asked(kept, tables, tmp_path, one_thread):
    from checks.encoding import minilm_folder
    from rlhf_train.models import reward_models

    place = next(iter(kept.glob("twin-*")))
    reward_models.load(minilm_folder(), seed=0).save(tmp_path / "reward")
    own = {
        **SMALL,
        "policies": {"mine": str(place), "reward": str(tmp_path / "reward")},
        "behaviours": ("thrift",),
        "count": 24,
    }
    found = study.run(written_of(own), kept)
    assert found["rates"]["policy"].unique(maintain_order=True).to_list() == ["mine", "reward"]
    assert found["question_answers"].filter(policy="reward")["option_mass"].unique().to_list() == [1.0]
    assert found["differences"].select("first", "second").unique().rows() == [("mine", "reward")]
    assert study.asking.pairs_of(written_of({**own, "baseline": "reward"})) == [("reward", "mine")]
    with pytest.raises(DataError, match="no such folder"):
        study.run(written_of({**own, "policies": {"gone": str(tmp_path / "gone")}}), kept)
