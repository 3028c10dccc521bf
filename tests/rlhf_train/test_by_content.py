"""Digests tell apart what differs, and a folder of numbers gives back what was put there."""

import copy

import numpy as np
import pytest

from rlhf_train.by_content import cached, model_digest, row_key, tokenizer_digest
from rlhf_train.errors import TrainingError


def test_configuration_counts_as_the_model_and_its_place_does_not(body):
    model = body("llama")
    before = model_digest(model)
    model.config._name_or_path = "elsewhere"
    assert model_digest(model) == before == model_digest(body("llama"))
    model.config.rms_norm_eps = 1e-3
    assert model_digest(model) != before
    assert model_digest(body("llama", seed=1)) != before


def test_the_marks_of_a_tokenizer_count(tiny_policy):
    other = copy.deepcopy(tiny_policy.tokenizer)
    assert tokenizer_digest(other) == tokenizer_digest(tiny_policy.tokenizer)
    other.eos_token = "<pad>"
    assert tokenizer_digest(other) != tokenizer_digest(tiny_policy.tokenizer)


def test_no_row_passes_for_another():
    keys = {row_key(["m"], *texts) for texts in (("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("\ud800", "c"))}
    assert len(keys) == 5
    assert row_key(["m"], "a", "b") != row_key(["n"], "a", "b")


def test_numbers_of_any_length_come_back_in_order(tmp_path):
    keys = [row_key([], "prompt", str(at)) for at in (3, 1, 2, 1)]

    def score(places):
        yield [(place, np.arange(place + 1, dtype=np.float32)) for place in reversed(places)]

    for _ in range(2):
        found = cached(keys, score, tmp_path)
        assert [part.tolist() for part in found] == [[0], [0, 1], [0, 1, 2], [0, 1]]


def test_a_broken_cache_is_named(tmp_path):
    (tmp_path / "0.safetensors").write_bytes(b"not this")
    with pytest.raises(TrainingError, match=r"0\.safetensors: no cache of ours .* delete it"):
        cached([b"k" * 16], lambda places: iter(()), tmp_path)
