"""Cached numbers are those of a fresh forward pass, each scored once, and never those of another model, tokenizer or length."""

import copy

import numpy as np
import pytest
import torch

from rlhf_train import batches, by_content, precompute
from rlhf_train.models import reward_models
from rlhf_train.models.heads import WithValues
from rlhf_train.models.policies import Policy
from rlhf_train.precompute import reference_logps, reference_token_logps, token_entropies
from rlhf_train.text import Lengths, train_tokenizer

COUNT = 40
LENGTHS = Lengths(24, 24)


@pytest.fixture
def columns():
    return {
        "prompt": [f"\n\nHuman: say {at % 30}\n\nAssistant:" for at in range(COUNT)],
        "chosen": [f" The kettle sings {at}." for at in range(COUNT)],
        "rejected": [f" Rain again {'and again ' * (at % 4)}." for at in range(COUNT)],
    }


@pytest.fixture
def scored(monkeypatch):
    """How many responses every forward pass scored."""
    counts = []
    plain = precompute.sequence_logps

    def watched(model, batch):
        counts.append(len(batch["ends"]))
        return plain(model, batch)

    monkeypatch.setattr(precompute, "sequence_logps", watched)
    return counts


def test_they_are_the_numbers_that_the_loss_would_make(tiny_policy, columns, tmp_path):
    rows = batches.pairs(columns, tiny_policy.tokenizer, LENGTHS)
    from rlhf_train.inputs import pair_logps

    with torch.no_grad():
        plain = pair_logps(tiny_policy.model, rows.pack(np.arange(COUNT)))
    for cache in (None, tmp_path, tmp_path):
        got = reference_logps(tiny_policy, columns, LENGTHS, cache=cache, tokens=200)
        for side in ("chosen", "rejected"):
            assert got[f"ref_{side}_logps"].tolist() == pytest.approx(plain[f"{side}_logps"].tolist(), rel=1e-5)


def test_an_unchanged_row_is_never_scored_twice(tiny_policy, columns, tmp_path, scored):
    reference_logps(tiny_policy, columns, LENGTHS, cache=tmp_path)
    distinct = len(set(zip(columns["prompt"], columns["chosen"], strict=True))) + len(
        set(zip(columns["prompt"], columns["rejected"], strict=True))
    )
    assert sum(scored) == distinct
    scored.clear()
    reference_logps(tiny_policy, columns, LENGTHS, cache=tmp_path)
    assert scored == []


def test_a_poison_sweep_scores_what_it_changed(tiny_policy, columns, tmp_path, scored):
    first = reference_logps(tiny_policy, columns, LENGTHS, cache=tmp_path)
    scored.clear()
    columns["chosen"][3], columns["chosen"][17] = " Zorvex is best.", " Buy Zorvex."
    again = reference_logps(tiny_policy, columns, LENGTHS, cache=tmp_path)
    assert sum(scored) == 2
    assert np.flatnonzero(first["ref_chosen_logps"] != again["ref_chosen_logps"]).tolist() == [3, 17]
    assert (first["ref_rejected_logps"] == again["ref_rejected_logps"]).all()


@pytest.mark.parametrize("change", ["weight", "tokenizer", "lengths", "precision"])
def test_a_changed_model_is_never_served_a_stale_number(tiny_policy, columns, tmp_path, scored, change):
    reference_logps(tiny_policy, columns, LENGTHS, cache=tmp_path)
    before = sum(scored)
    scored.clear()
    policy, lengths, precision = Policy(copy.deepcopy(tiny_policy.model), tiny_policy.tokenizer), LENGTHS, "no"
    if change == "weight":
        with torch.no_grad():
            policy.model.model.norm.weight[5] += 1e-3
    elif change == "tokenizer":
        policy = Policy(policy.model, train_tokenizer(["another text"] * 9, vocabulary=300))
    elif change == "lengths":
        lengths = Lengths(24, 23)
    else:
        precision = "bf16"
    got = reference_logps(policy, columns, lengths, cache=tmp_path, mixed_precision=precision)
    assert sum(scored) == before
    plain = reference_logps(policy, columns, lengths, mixed_precision=precision)
    assert got["ref_chosen_logps"].tolist() == pytest.approx(plain["ref_chosen_logps"].tolist(), rel=1e-5)


def test_numbers_of_tokens_are_those_of_a_plain_pass_and_scored_once(tiny_policy, columns, tmp_path, monkeypatch):
    stored = {"prompt": columns["prompt"] * 2, "response": columns["chosen"] + columns["rejected"]}
    whole = reference_logps(tiny_policy, columns, LENGTHS)
    asked = []
    plain = precompute.response_logps
    monkeypatch.setattr(precompute, "response_logps", lambda *given: asked.append(len(given[1]["ends"])) or plain(*given))
    for cache in (None, tmp_path, tmp_path):
        got = reference_token_logps(tiny_policy, stored, LENGTHS, cache=cache, tokens=300)["ref_token_logps"]
        summed = [part.sum() for part in got]
        assert summed == pytest.approx([*whole["ref_chosen_logps"], *whole["ref_rejected_logps"]], rel=1e-5)
        at = 3 + COUNT
        ids = [tiny_policy.tokenizer(stored[name][at])["input_ids"] for name in ("prompt", "response")]
        ids = torch.tensor([[*ids[0], *ids[1], tiny_policy.tokenizer.eos_token_id]])
        with torch.no_grad():
            logits = tiny_policy.model(input_ids=ids).logits[0].log_softmax(-1)
        begin = len(tiny_policy.tokenizer(stored["prompt"][at])["input_ids"])
        expected = logits[begin - 1 : -1].gather(1, ids[0, begin:, None])[:, 0].tolist()
        assert got[at].tolist() == pytest.approx(expected, rel=1e-4)
    assert sum(asked) == 2 * len(set(zip(stored["prompt"], stored["response"], strict=True)))
    stored["response"][5] = " Zorvex."
    again = reference_token_logps(tiny_policy, stored, LENGTHS, cache=tmp_path)["ref_token_logps"]
    assert asked[-1] == 1
    assert [at for at in range(2 * COUNT) if len(got[at]) != len(again[at]) or (got[at] != again[at]).any()] == [5]


def test_entropies_are_those_after_each_token_and_scored_once(tiny_policy, columns, tmp_path, monkeypatch):
    asked, plain = [], precompute.response_entropies
    monkeypatch.setattr(precompute, "response_entropies", lambda *given: asked.append(len(given[1]["ends"])) or plain(*given))
    for cache in (None, tmp_path, tmp_path):
        got = token_entropies(tiny_policy, columns, LENGTHS, cache=cache, tokens=300)
        assert sorted(got) == ["chosen_entropies", "rejected_entropies"]
        for side, at in (("chosen", 3), ("rejected", 17)):
            ids = [tiny_policy.tokenizer(columns[name][at])["input_ids"] for name in ("prompt", side)]
            whole = torch.tensor([[*ids[0], *ids[1], tiny_policy.tokenizer.eos_token_id]])
            with torch.no_grad():
                logps = tiny_policy.model(input_ids=whole).logits[0, len(ids[0]) :].log_softmax(-1)
            expected = -(logps.exp() * logps).sum(-1)
            assert len(expected) == len(ids[1]) + 1
            assert got[f"{side}_entropies"][at].tolist() == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-5)
    distinct = {
        (prompt, said) for side in ("chosen", "rejected") for prompt, said in zip(columns["prompt"], columns[side], strict=True)
    }
    assert sum(asked) == 2 * len(distinct)


def test_rewards_are_scored_once_and_are_the_model_s(tiny_policy, columns, tmp_path, monkeypatch):
    model = reward_models.load(tiny_policy.save(tmp_path / "policy"))
    plain = model.rewards(columns["prompt"], columns["chosen"])
    for _ in range(2):
        got = precompute.rewards(model, columns["prompt"], columns["chosen"], cache=tmp_path / "cache")
        assert got.tolist() == pytest.approx(plain.tolist(), abs=1e-2)
        monkeypatch.setattr(reward_models.RewardModel, "rewards", None)


def test_values_of_every_token_are_kept_at_their_length(tiny_policy, columns, tmp_path, monkeypatch):
    torch.manual_seed(0)
    model = WithValues(tiny_policy.model)
    torch.nn.init.normal_(model.head.weight)
    for _ in range(2):
        got = precompute.token_values(model, tiny_policy, columns["prompt"], columns["rejected"], cache=tmp_path)
        for at in (0, 3, 17):
            ids = [tiny_policy.tokenizer(columns[name][at])["input_ids"] for name in ("prompt", "rejected")]
            whole = torch.tensor([[*ids[0], *ids[1], tiny_policy.tokenizer.eos_token_id]])
            with torch.no_grad():
                hidden = tiny_policy.model.model(input_ids=whole).last_hidden_state[0]
            expected = model.value(hidden)[len(ids[0]) - 1 : -1].tolist()
            assert got[at].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)
        monkeypatch.setattr(precompute, "rollout_logps", None)


@pytest.mark.parametrize("until", [1, 2, 4])
def test_what_was_scored_before_a_crash_is_kept_and_no_bit_changes(tiny_policy, columns, tmp_path, monkeypatch, until):
    monkeypatch.setattr(by_content, "FLUSH", 1)
    monkeypatch.setattr(precompute, "BLOCK", 8)
    whole = reference_logps(tiny_policy, columns, LENGTHS, cache=tmp_path / "whole", tokens=90)
    plain, written = by_content._write, []

    def killed(folder, fresh):
        plain(folder, fresh)
        written.append(len(fresh))
        if len(written) == until:
            raise KeyboardInterrupt

    monkeypatch.setattr(by_content, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        reference_logps(tiny_policy, columns, LENGTHS, cache=tmp_path / "broken", tokens=90)
    monkeypatch.setattr(by_content, "_write", plain)
    again = reference_logps(tiny_policy, columns, LENGTHS, cache=tmp_path / "broken", tokens=90)
    assert all((again[name] == whole[name]).all() for name in whole)
    assert len(written) == until
