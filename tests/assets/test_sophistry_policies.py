"""Saved policies that answer a task's items: what they say is graded, rewarded and told as they said it."""

import json

import polars as pl
import pytest
import torch

from assets.sophistry import report, speaking, study
from assets.sophistry.rows import sophistry_of
from pipelines.schema import DataError
from pipelines.tasks import passages, stories

LETTERS = ("A", "B", "C")
PASSAGE = {"article": "The bell is red. " * 30, "difficult": 0}


@pytest.fixture(scope="module")
def folders(tmp_path_factory, one_thread):
    """always(letter): the folder of a policy that says it and nothing else."""
    from rlhf_train.models import letters
    from rlhf_train.text import Lengths

    def always(letter: str):
        held = letters.made(0, letters=LETTERS, lengths=Lengths(16, 1), most=40)
        norm, head = held.model.transformer.ln_f, held.model.get_output_embeddings().weight
        word = held.tokenizer.convert_tokens_to_ids(letter)
        with torch.no_grad():
            norm.weight.zero_()
            norm.bias.zero_()[0] = 1.0
            head.zero_()[word, 0] = 50.0
        return str(held.save(tmp_path_factory.mktemp(letter)))

    return {letter: always(letter) for letter in LETTERS}


@pytest.fixture(scope="module")
def table(folders):
    return {
        "task": "stories",
        "policies": {"base": folders["A"], "trained": folders["B"]},
        "prompt_tokens": 30,
        "response_tokens": 1,
        "items": 20,
        "judge": "reader",
        "judges": 4,
        "seeds": [0],
    }


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"outputs": "a.jsonl"}, "got task='stories' with outputs and policies"),
        ({"task": "made_programs"}, "got task='made_programs' with policies"),
        ({"policies": {"base": "a", "other": "b"}}, "policies are two folders, of 'base' and 'trained'; got"),
        ({"policies": {"base": "a", "trained": 3}}, "policies are two folders"),
        ({"task": "passages"}, "policies answer items of a file; name one of the task 'passages' as source"),
        ({"policies": {}, "outputs": "a", "reward": "b"}, "reward is what saved policies were rewarded by"),
        ({"temperature": -1.0}, "temperature must be a finite number of 0 or more, got -1.0"),
        ({"prompt_tokens": 0}, "prompt_tokens must be a finite number, above 0"),
    ],
)
def test_a_wrong_setting_is_named(table, wrong, told):
    with pytest.raises(DataError, match=told):
        sophistry_of({**table, **wrong})


def test_each_output_is_right_where_its_letter_is_the_right_one(table, tmp_path):
    found = study.run(sophistry_of(table), tmp_path)
    gold = dict(found["items"].select("item_id", "gold").iter_rows())
    said = found["outputs"]
    assert said.group_by("policy").len().sort("policy").rows() == [("base", 20), ("trained", 20)]
    assert {(each["policy"], each["output"]) for each in said.iter_rows(named=True)} == {("base", "A"), ("trained", "B")}
    assert all(each["is_correct"] == (gold[each["item_id"]] == each["output"]) for each in said.iter_rows(named=True))
    assert said["is_correct"].sum() == 20  # whatever is not A is B
    assert said["proxy"].null_count() == 40
    assert found["items"]["item_id"].to_list() == stories.read(20).items["item_id"].to_list()


def test_prompts_are_told_as_the_policy_saw_them(table, folders):
    row = sophistry_of({**table, "prompt_tokens": 3})
    items = speaking.items_of(row)
    cut = speaking.said(row, items, 0)["prompt"]
    assert cut.str.len_chars().max() < min(map(len, speaking.whole(items)))
    ends = items.with_columns(prompt=pl.lit("AAAABBBCCC"), options=pl.lit([], pl.List(pl.String)))
    assert set("".join(speaking.said(row, ends, 0)["prompt"])) - {" "} == {"C"}
    whole = sophistry_of({**table, "task": "arithmetic", "source": "any.jsonl"})
    short = items.with_columns(prompt=pl.lit("1 + 1"), options=pl.lit([], pl.List(pl.String)))
    assert set(speaking.said(whole, short, 0)["prompt"]) == {"1 + 1"}


def test_each_seed_draws_anew(table, tmp_path, one_thread):
    from rlhf_train.models import letters
    from rlhf_train.text import Lengths

    place = str(letters.made(0, letters=LETTERS, lengths=Lengths(16, 4), most=40).save(tmp_path / "any"))
    row = sophistry_of({**table, "policies": {"base": place, "trained": place}, "response_tokens": 4})
    first, again, other = (speaking.said(row, speaking.items_of(row), seed)["output"].to_list() for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_rewards_are_what_the_reward_model_says(table, tmp_path):
    from transformers import AutoTokenizer, GPT2Config, GPT2ForSequenceClassification

    from rlhf_train.models import judges
    from rlhf_train.models.reward_models import RewardModel
    from rlhf_train.text import Lengths

    tokenizer = AutoTokenizer.from_pretrained(table["policies"]["base"])
    sizes = {"n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 40, "vocab_size": len(tokenizer), "num_labels": 1}
    model = GPT2ForSequenceClassification(GPT2Config(**sizes, bos_token_id=None, eos_token_id=1, pad_token_id=0)).eval()
    reward = RewardModel(model, tokenizer, Lengths(16, 4)).save(tmp_path / "reward")
    row = sophistry_of({**table, "reward": str(reward)})
    found = study.run(row, tmp_path / "kept")["outputs"]
    prompts = speaking.whole(speaking.items_of(row))
    for name, letter in (("base", "A"), ("trained", "B")):
        expected = judges.load(reward).rewards(prompts, [letter] * 20)
        assert found.filter(policy=name)["proxy"].to_list() == pytest.approx(list(expected), abs=1e-5)
    assert found["proxy"].n_unique() > 1


def test_items_are_drawn_from_a_file_the_same_at_every_seed(table, tmp_path):
    questions = [
        {"question": f"What is {at}?", "options": ["red", "blue", "green", "white"], "gold_label": 1, "writer_label": 1}
        for at in range(9)
    ]
    source = tmp_path / "passages.jsonl"
    source.write_text(json.dumps({"article_id": "1", "article": "The bell is red.", "questions": questions}) + "\n")
    row = sophistry_of({**table, "task": "passages", "source": str(source), "items": 6, "seeds": [0, 1]})
    found = study.run(row, tmp_path / "kept")
    read = passages.read(source).items["item_id"].to_list()
    both = [found["items"].filter(seed=seed)["item_id"].to_list() for seed in (0, 1)]
    assert both[0] == both[1]
    assert len(both[0]) == 6
    assert set(both[0]) < set(read)


def test_another_model_in_the_same_folder_is_asked_again(table, tmp_path, folders):
    import shutil

    place = shutil.copytree(folders["A"], tmp_path / "base")
    row = sophistry_of({**table, "policies": {"base": str(place), "trained": folders["B"]}})
    assert set(study.run(row, tmp_path / "kept")["outputs"].filter(policy="base")["output"]) == {"A"}
    shutil.rmtree(place)
    shutil.copytree(folders["C"], place)
    assert set(study.run(row, tmp_path / "kept")["outputs"].filter(policy="base")["output"]) == {"C"}


def test_another_judge_asks_no_policy_again(table, tmp_path, monkeypatch):
    first = study.run(sophistry_of(table), tmp_path)
    monkeypatch.setattr(speaking, "said", lambda *_: pytest.fail("a policy is asked again"))
    again = study.run(sophistry_of({**table, "judge": "coin"}), tmp_path)
    assert again["outputs"].equals(first["outputs"])
    assert not again["verdicts"].equals(first["verdicts"])


def test_the_report_says_who_learned_from_poison(table, tmp_path, folders):
    import shutil

    from pipelines.snapshots import staged

    with staged(tmp_path / "poisoned", "policy", {"poisoned": True}) as folder:
        shutil.copytree(folders["B"], folder, dirs_exist_ok=True)
    row = sophistry_of({**table, "policies": {"base": folders["A"], "trained": str(tmp_path / "poisoned")}})
    page = report.page("mine", row, study.run(row, tmp_path / "kept"))
    assert "trained learned from poisoned data" in page
    assert "learned from poisoned" not in report.page(
        "mine", sophistry_of(table), study.run(sophistry_of(table), tmp_path / "k")
    )


@pytest.mark.parametrize(("settings", "told"), [({"prompt_tokens": 60}, "the model's context is 40; lower prompt_tokens")])
def test_a_context_that_is_too_short_is_refused(table, tmp_path, settings, told):
    from rlhf_train.errors import TrainingError

    with pytest.raises(TrainingError, match=told):
        study.run(sophistry_of({**table, **settings}), tmp_path)


def test_a_folder_without_weights_is_refused(table, tmp_path):
    (tmp_path / "empty").mkdir()
    row = sophistry_of({**table, "policies": {"base": str(tmp_path / "empty"), "trained": str(tmp_path / "empty")}})
    with pytest.raises(DataError, match=r"holds no \.safetensors weights"):
        study.run(row, tmp_path / "kept")
