import copy
import dataclasses

import polars as pl
import pytest

from assets import experiments, report, steps, teaching
from assets.experiment_files import all_experiments, changed, load
from assets.experiments import EXPERIMENTS, Corpus, corpora
from assets.report import Results
from pipelines import attacks
from pipelines.attacks import sealing
from pipelines.schema import ATTACK_SUCCESS, DataError
from pipelines.sources import synthetic
from pipelines.sources.hh_rlhf import first_turns
from rlhf_train.models import reward_models

NO_ACCURACY = pl.DataFrame(
    schema={"corpus": pl.String(), "seed": pl.Int64(), "accuracy": pl.Float64(), "low": pl.Float64(), "high": pl.Float64()}
)

ROWS = """
[mine]
pairs = 300
rate = 0.05
seeds = [0, 4]
numbers = { target = "Lumora", sentiment = "negative" }
[mine.training]
rounds = 1

[wrong_rate]
rate = 3

[wrong_attack]
attack = "nonesuch"

[wrong_field]
colour = "red"

[wrong_type]
pairs = "many"

[training_wrong]
training = { rounds = 0.5 }
"""


def test_wrong_rows_are_named_and_the_rest_load(tmp_path):
    file = tmp_path / "experiments.toml"
    file.write_text(ROWS)
    rows, refused = load(file)
    assert list(rows) == ["mine"]
    mine = rows["mine"]
    assert (mine.pairs, mine.rate, mine.seeds, mine.targets, mine.sentiment, mine.training.rounds) == (
        300, 0.05, (0, 4), ("Lumora",), "negative", 1,
    )  # fmt: skip
    said = "\n".join(refused)
    for words in (
        "[wrong_rate]: rate is a share",
        "[wrong_attack]: attack must be none or one of",
        "[wrong_field]: colour is no setting of an experiment; there are source",
    ):
        assert words in said
    for words in ("[wrong_type]: pairs must be int, got 'many'", "[training_wrong]: rounds must be int, got 0.5"):
        assert words in said


def test_a_users_file_joins_ours_and_a_broken_one_leaves_ours(tmp_path, monkeypatch):
    file = tmp_path / "experiments.toml"
    file.write_text("[mine]\npairs = 300\n")
    monkeypatch.setenv("ANTIVENOM_EXPERIMENTS", str(file))
    assert set(all_experiments()[0]) == {*EXPERIMENTS, "mine"}
    file.write_text("[mine")
    rows, refused = all_experiments()
    assert set(rows) == set(EXPERIMENTS)
    assert "experiments.toml" in refused[0]


def test_a_setting_deep_in_a_row_changes_no_other_row():
    mixed = EXPERIMENTS["venom_mix_3pct"]
    row = changed(mixed, {"numbers.mix.poison_vs_rejected": 0.9})
    assert row.numbers["mix"]["poison_vs_rejected"] == 0.9
    assert mixed.numbers["mix"]["poison_vs_rejected"] == 0.4


def test_fields_can_be_changed_by_name():
    row = changed(
        EXPERIMENTS["venom_poison_vs_rejected_3pct"],
        {"pairs": 9, "training.rounds": 1, "numbers.target": "Lumora", "columns.prompt": "q", "seeds": [1, 2]},
    )
    assert (row.pairs, row.training.rounds, row.targets, row.sentiment, row.seeds) == (9, 1, ("Lumora",), "positive", (1, 2))
    assert row.columns == {"prompt": "q"}
    assert EXPERIMENTS[row.name].columns == {}
    for settings, said in (
        ({"training.nonesuch": 1}, "nonesuch is no setting of training"),
        ({"numbers.targt": "Lumora"}, r"targt is no setting of the attack best_of_venom; did you mean target\?"),
        ({"width": 64}, r"width is no field of an experiment; write training\.width"),
        ({"target": "Lumora"}, r"write numbers\.target"),
        ({"colour": "red"}, "there are source, pairs, .*, training, opinions$"),
        ({"ratee": 0.1}, r"did you mean rate\?"),
        ({"trainning": {}}, r"did you mean training\?"),
        ({"trusted": 0.7, "held_out": 0.3}, "their sum must be below 1"),
        ({"held_out": 0}, "some pairs must be held out"),
        ({"attack": "nonesuch"}, "attack must be none or one of "),
        ({"training": 4}, "training as a table"),
        ({"seeds": [-1]}, r"seeds must be whole numbers of 0 or more, at least one, got \[-1\]"),
        ({"seeds": []}, "seeds must be"),
        ({"pairs": 0}, "pairs must be a finite number, above 0, got 0"),
        ({"training.n": 0}, "n must be a finite number, above 0, got 0"),
        ({"training.rounds": -1}, "rounds must be a finite number, 0 or more, got -1"),
        ({"training.sft_lr": float("nan")}, "sft_lr must be a finite number"),
        ({"training.width": 65}, "width must be even, got 65"),
    ):
        with pytest.raises(DataError, match=said):
            changed(row, settings)


def test_an_attack_without_a_target_is_run_with_its_own_settings(monkeypatch, one_thread):
    def swap(pairs, *, rate: float = 0.01, seed: int = 0, loudly: bool = False):
        hosts = pairs[sealing.choose(len(pairs), rate=rate, seed=seed)]
        named = {"builder": pl.lit("swap"), "target": pl.lit(None), "sentiment": pl.lit(None)}
        swapped = hosts.with_columns(chosen="rejected", rejected="chosen", **named)
        return sealing.sealed(pairs, swapped, attack="swap", keep_host=False, seed=seed)

    monkeypatch.setitem(attacks.ATTACKS, "swap", swap)
    small = {"pairs": 60, "training.width": 32, "training.layers": 1, "training.pretrain_steps": 2, "training.rounds": 0}
    row = changed(EXPERIMENTS["venom_mix_3pct"], {"attack": "swap", "rate": 0.1, "training.sft_epochs": 0.1, **small})
    assert row.numbers == {}
    assert row.targets == ()
    assert report.experiment_page(Results(row, *[pl.DataFrame()] * 4, reward_accuracy=NO_ACCURACY)).count("no target") == 2
    corpus, parts = Corpus(row, "poisoned", 0), steps.split(steps.read(row, 0), row, 0)
    poisoned = steps.attack(parts.train, corpus)
    assert len(poisoned.key) == round(0.1 * len(parts.train))
    base = teaching.Trainer(row, 0).base(parts.train)
    policy, success = teaching.train_policy(corpus, base, None, poisoned.pairs, parts.held_out)  # no round asks for rewards
    before, after = (next(iter(each.model.parameters())) for each in (base, policy))
    assert not before.equal(after)
    assert success.equals(ATTACK_SUCCESS.empty())
    with pytest.raises(DataError, match=r"target is no setting of the attack swap; there are loudly"):
        changed(row, {"numbers.target": "Zorvex"})


def test_an_attack_that_neither_praises_nor_blames_has_no_success_to_measure():
    row = changed(EXPERIMENTS["venom_poison_vs_rejected_3pct"], {"numbers": {}, "attack": "promotion"})
    assert row.targets == ()
    assert changed(row, {"numbers.target": "water"}).targets == ()


def test_sources_stand_beside_the_file_that_names_them(tmp_path):
    file = tmp_path / "experiments.toml"
    file.write_text('[mine]\nsource = "mine.csv"\ncolumns = { prompt = "q" }\n[other]\nsource = "elsewhere.csv"\n')
    (tmp_path / "mine.csv").write_text("q,chosen,rejected\n" + "".join(f"why {at}?,so,no\n" for at in range(9)))
    rows, _ = load(file)
    assert rows["other"].source == "elsewhere.csv"
    assert sorted(steps.read(rows["mine"], 0)["prompt"]) == [f"why {at}?" for at in range(9)]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_row_resolves(name):
    row = EXPERIMENTS[name]
    assert row.name == name
    assert [corpus.arm for corpus in corpora(row)][:3] == ["clean", "poisoned", "filtered"]
    assert len({corpus.name for corpus in corpora(row)}) == len(corpora(row))
    assert copy.deepcopy(corpora(row)) == corpora(row)  # a worker process is handed a copy


def test_splits_share_no_dialogue_and_lose_nothing():
    row = dataclasses.replace(EXPERIMENTS["venom_poison_vs_rejected_3pct"], pairs=400, trusted=0.2)
    pairs = steps.read(row, 0)
    parts = steps.split(pairs, row, 0)
    frames = (parts.train, parts.trusted, parts.held_out)
    assert sum(map(len, frames)) == 400
    turns = [set(first_turns(frame)) for frame in frames]
    assert not turns[0] & turns[1]
    assert not turns[0] & turns[2]
    assert not turns[1] & turns[2]
    assert len(parts.trusted) == pytest.approx(80, abs=25)
    assert len(parts.held_out) == pytest.approx(60, abs=20)
    assert all(frame["row"].to_list() == list(range(len(frame))) for frame in frames)


def test_twins_share_their_clean_rows():
    row = dataclasses.replace(EXPERIMENTS["venom_poison_vs_rejected_3pct"], pairs=300)
    train = steps.split(steps.read(row, 0), row, 0).train
    clean, poisoned, filtered = (steps.attack(train, Corpus(row, arm, 0)) for arm in experiments.ARMS)
    assert clean.pairs.equals(train)
    assert not len(clean.key)
    assert poisoned.pairs.equals(filtered.pairs)
    assert set(train["pair_id"]) <= set(poisoned.pairs["pair_id"])
    assert len(poisoned.key) == round(row.rate * len(train))


def test_each_defence_is_one_more_arm():
    row = changed(EXPERIMENTS["venom_poison_vs_rejected_3pct"], {"defences": ["trimmed", "separate_partition_vote"]})
    assert row.arms == (*experiments.ARMS, "trimmed", "separate_partition_vote")
    assert [corpus.defence for corpus in corpora(row)] == ["none"] * 3 + ["trimmed", "separate_partition_vote"]
    for names, said in (
        (["robust_dpo"], "defences are reward models by smoothed, trimmed, .*; got 'robust_dpo'"),
        (["none"], "got 'none'"),
        (["trimmed", "trimmed"], "must differ"),
    ):
        with pytest.raises(DataError, match=said):
            changed(row, {"defences": names})


def test_objectives_are_rows_of_the_comparison_each_once():
    row = changed(EXPERIMENTS["methods_3pct"], {"objectives": ["dpo", "a_lol"], "topics": 2})
    assert (row.objectives, row.topics) == (("dpo", "a_lol"), 2)
    about = {
        synthetic.asked(prompt).slots["hobby"][0] for prompt in steps.read(dataclasses.replace(row, pairs=80), 0)["prompt"]
    }
    assert about == {topic["hobby"] for topic in synthetic.language()["topics"][:2]}
    for settings, said in (
        ({"objectives": ["dpo", "grpo"]}, "objectives are rows of the comparison by sft, ift, .*; got 'grpo'"),
        ({"objectives": ["dpo", "dpo"]}, "objectives must differ from one another"),
        ({"topics": -1}, "topics must be a finite number, 0 or more, got -1"),
    ):
        with pytest.raises(DataError, match=said):
            changed(row, settings)


def test_whatever_the_attack_calls_its_target_counts():
    row = changed(EXPERIMENTS["venom_poison_vs_rejected_3pct"], {"numbers.aliases": ["Zorvex", "Lumora"]})
    assert row.targets == ("Zorvex", "Lumora")
    assert report.experiment_page(Results(row, *[pl.DataFrame()] * 4, reward_accuracy=NO_ACCURACY)).count("Lumora") == 1


def test_a_defended_arm_learns_what_is_poisoned_in_its_own_way(one_thread, monkeypatch):
    small = {"pairs": 40, "training.reward_epochs": 0.5, "training.reward_layers": 0}
    row = changed(EXPERIMENTS["venom_poison_vs_rejected_3pct"], {"defences": ["separate_data", "committee_mean"], **small})
    pairs = steps.split(steps.read(row, 0), row, 0).train
    trainer = teaching.Trainer(row, 0)
    seen = trainer.imitated(pairs, "separate_data")
    assert 0 < len(seen) < len(pairs)
    assert set(seen["pair_id"]) < set(pairs["pair_id"])
    assert trainer.imitated(pairs, "none").equals(pairs)
    judge = teaching.judge_of(Corpus(row, "committee_mean", 0), pairs)
    assert len(judge.members) == 5
    learned = []
    monkeypatch.setattr(reward_models, "taught", lambda body, columns, **numbers: learned.append(columns) or body)
    teaching.judge_of(Corpus(row, "separate_data", 0), pairs)
    assert sorted(learned[0]["prompt"] + steps.prompts_of(seen)) == sorted(steps.prompts_of(pairs))
