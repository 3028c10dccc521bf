"""What a DPO step costs by batch, by length and by the prompt's share: packed with shared prompts, and as it is usually done.

Usually: chosen and rejected rows under one another, padded to the longest, logits everywhere. Lengths spread as people's do
(lognormal, a deviation of 0.6 of their logarithm), one thing varied at a time, medians of alternated steps.
"""

import _report
import altair as alt
import numpy as np
import polars as pl
import torch

from rlhf_train import inputs
from rlhf_train.batches import rows_of
from rlhf_train.models.policies import prepare
from rlhf_train.objectives import dpo
from rlhf_train.packing import Tree, fill, pack

WORDS, WIDTH, LAYERS = 8192, 256, 4
USUAL = {"batch": 16, "length": 256, "prompt share": 0.5}
CURVES = {"batch": (2, 4, 8, 16, 32), "length": (64, 128, 256, 512, 1024), "prompt share": (0.1, 0.3, 0.5, 0.7, 0.9)}


def trees(batch: int, length: int, share: float) -> list[Tree]:
    """Pairs whose prompt and mean response have `length` tokens together in the mean, the prompt this share of them."""
    random = np.random.default_rng(0)
    spread = random.lognormal(-0.18, 0.6, (batch, 3))
    sizes = np.maximum((spread * length * np.array([share, 1 - share, 1 - share])).astype(int), 1)
    return [Tree(prompt, tuple(rest)) for prompt, *rest in ([random.integers(2, WORDS, size) for size in row] for row in sizes)]


def packed(model: torch.nn.Module, given: list[Tree]) -> None:
    """The gradient of a step, packed."""
    given = sorted(given, key=len)
    for cut in fill([len(tree) for tree in given], 4096):
        found = inputs.pair_logps(model, {**pack(given[cut]), "given": {}})
        refs = {f"ref_{name}": value.detach() for name, value in found.items()}
        (dpo.loss(**found, **refs).loss * len(given[cut]) / len(given)).backward()


def padded(model: torch.nn.Module, given: list[Tree]) -> None:
    """The same, as it is usually done."""
    rows = [torch.from_numpy(np.concatenate([tree.prompt, tree.responses[side]])) for side in (0, 1) for tree in given]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
    logps = logits.log_softmax(-1).gather(2, ids[:, 1:, None])[:, :, 0]
    starts = torch.tensor([len(tree.prompt) - 1 for _ in (0, 1) for tree in given])
    counts = (torch.arange(ids.shape[1] - 1) >= starts[:, None]) & mask[:, 1:].bool()
    chosen, rejected = (logps * counts).sum(1).chunk(2)
    dpo.loss(chosen, rejected, chosen.detach(), rejected.detach()).loss.backward()


def main() -> None:
    """A table and a picture of three curves."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(2)
    heads = {"num_attention_heads": WIDTH // 64, "num_key_value_heads": WIDTH // 64}
    sizes = {"hidden_size": WIDTH, "intermediate_size": 8 * WIDTH // 3, "num_hidden_layers": LAYERS}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=WORDS, max_position_embeddings=8192, **sizes, **heads))
    prepare(model)
    rows = []
    for axis, values in CURVES.items():
        for value in values:
            now = {**USUAL, axis: value}
            given = trees(int(now["batch"]), int(now["length"]), float(now["prompt share"]))
            taken = _report.alternate(
                {"packed": lambda given=given: packed(model, given), "padded": lambda given=given: padded(model, given)},
                times=3,
            )
            model.zero_grad()
            middle = {name: _report.median(seconds) for name, seconds in taken.items()}
            useful = sum(rows_of(given, {}).sizes)
            rows += [
                {
                    "varied": axis,
                    "value": value,
                    "way": name,
                    "pairs a second": now["batch"] / seconds,
                    "useful tokens a second": useful / seconds,
                    "times faster": middle["padded"] / seconds,
                }
                for name, seconds in middle.items()
            ]
    _report.save("training_curves", rows)
    base = alt.Chart(pl.DataFrame(rows, strict=False)).mark_line(point=True)
    chart = base.encode(
        x=alt.X("value:Q", title=None), y=alt.Y("useful tokens a second:Q"), color=alt.Color("way:N", title=None)
    ).properties(width=220, height=200)
    _report.draw("training_curves", chart.facet("varied:N").resolve_scale(x="independent"))


if __name__ == "__main__":
    main()
