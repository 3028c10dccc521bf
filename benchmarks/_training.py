"""What the training benchmarks share: a Llama of random weights, real pairs, and the same epoch by our loop and by TRL's."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assets.steps import answers_of, prompts_of
from pipelines.sources import records, synthetic
from rlhf_train import batches, precompute
from rlhf_train.models.policies import Policy, prepare
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths, train_tokenizer
from rlhf_train.train import fit

FILES = ("hh_helpful_pro/helpful_base_online_dev.jsonl.gz", "hh_harmless_base/test_first1500.jsonl.gz")
LENGTHS = Lengths(512, 512)
LR = 1e-5
Columns = dict[str, list[str]]


@dataclass(frozen=True)
class Setting:
    """How a model is made, and pairs for it, none of which is cut."""

    config: Any
    tokenizer: Any
    columns: Columns
    device: str
    batch: int = 16

    def model(self, kind: str) -> Any:
        """The same random weights each time, for an objective: with a language head, or with a score."""
        from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

        torch.manual_seed(0)
        auto = AutoModelForSequenceClassification if OBJECTIVES[kind].scored else AutoModelForCausalLM
        made = auto.from_config(self.config)
        prepare(made)
        return made.to(self.device)


def setting(
    *,
    pairs: int = 96,
    vocabulary: int = 16_384,
    width: int = 384,
    layers: int = 6,
    device: str = "cpu",
    most: int = 512,
    batch: int = 16,
) -> Setting:
    """Real pairs where they are at hand, else generated ones; a tokenizer made of them, its ids spread over `vocabulary`."""
    from transformers import LlamaConfig

    place = os.environ.get("ANTIVENOM_REAL_DATA")
    rows = records.read(Path(place) / FILES[0]).pairs if place else synthetic.read(n=4 * pairs)
    sides = {name: answers_of(rows, name) for name in ("chosen", "rejected")}
    columns = {"prompt": prompts_of(rows), **sides}
    tokenizer = train_tokenizer(
        [prompt + said for prompt, said in zip(columns["prompt"], columns["chosen"], strict=True)], vocabulary=8192
    )
    sizes = np.array(batches.pairs(columns, tokenizer, Lengths(4096, 4096)).sizes)
    kept = np.random.default_rng(0).permutation(np.flatnonzero(sizes <= most))[:pairs]
    columns = {name: [values[place] for place in kept] for name, values in columns.items()}
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=int(width * 8 / 3),
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        num_key_value_heads=width // 64,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        num_labels=1,
    )
    return Setting(config, tokenizer, columns, device, batch)


def shape(given: Setting) -> dict[str, float]:
    """Pairs, mean tokens of a prompt and of a response, and millions of weights."""
    trees = _parts(given)
    prompts, responses = [parts[0] for parts in trees], [size for parts in trees for size in parts[1:]]
    millions = sum(weights.numel() for weights in given.model("dpo").parameters()) / 1e6
    return {"pairs": len(trees), "prompt": np.mean(prompts), "response": np.mean(responses), "million weights": millions}


def flops(given: Setting, kind: str) -> float:
    """Model FLOPs of an epoch, forward and backward, each prompt once."""
    config, trees = given.config, _parts(given)
    head = config.vocab_size * config.hidden_size if kind == "dpo" else config.hidden_size
    heads = config.hidden_size**2 * (2 + 2 * config.num_key_value_heads / config.num_attention_heads)
    body = config.num_hidden_layers * (heads + 3 * config.hidden_size * config.intermediate_size)
    tokens, read = sum(map(sum, trees)), sum(sum(parts[1:]) if kind == "dpo" else len(parts) - 1 for parts in trees)
    seen = sum(prompt**2 / 2 + sum(size * (prompt + size / 2) for size in said) for prompt, *said in trees)
    return 6 * (tokens * body + read * head) + 12 * config.num_hidden_layers * config.hidden_size * seen


def _parts(given: Setting) -> list[tuple[int, ...]]:
    rows = batches.pairs(given.columns, given.tokenizer, LENGTHS)
    return [rows.pack(np.array([at]))["layout"].trees[0] for at in range(len(rows))]


def ours(
    given: Setting, kind: str, precision: str, *, warm: bool = False, tokens: int = batches.TOKENS, **options: Any
) -> Callable[[], float]:
    """An epoch by fit() with these `options`, references at hand; call it for its seconds. `warm`: the second of two."""
    objective = OBJECTIVES[kind]
    columns: dict[str, Any] = dict(given.columns)
    if objective.given:
        reference = Policy(given.model(kind), given.tokenizer, LENGTHS)
        columns |= precompute.reference_logps(reference, given.columns, LENGTHS, mixed_precision=precision)
        del reference
    rows = batches.pairs(columns, given.tokenizer, LENGTHS)

    def epoch() -> float:
        model = given.model(kind)
        source = batches.shuffled(rows, size=given.batch, tokens=tokens)
        steps = -(-len(rows) // given.batch)
        times = [time.perf_counter()]

        def watch(done: int, of: int, row: object) -> None:
            _finish()
            times.append(time.perf_counter())

        epochs, numbers = 1 + warm, {"lr": LR, "weight_decay": 0.0, "mixed_precision": precision, **options}
        fit(model, objective, source, steps=epochs * steps, watch=watch, **numbers)
        return times[-1] - times[warm * steps]

    return epoch


def theirs(given: Setting, kind: str, precision: str, *, parts: int = 1, sampling: str = "random") -> Callable[[], float]:
    """The same epoch by TRL's trainer, references at hand, each step in `parts` accumulated batches (0: a pair each)."""
    import trl
    from datasets import Dataset
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    trainer, config = (trl.DPOTrainer, trl.DPOConfig) if kind == "dpo" else (trl.RewardTrainer, trl.RewardConfig)
    more = {"precompute_ref_log_probs": True} if kind == "dpo" else {}
    parts = parts or given.batch
    columns: dict[str, Any] = {**given.columns, "length": [sum(sizes) for sizes in _parts(given)]}

    def epoch() -> float:
        model = given.model(kind)
        model.set_attn_implementation("sdpa")
        with tempfile.TemporaryDirectory() as folder:
            arguments = config(
                output_dir=folder,
                per_device_train_batch_size=given.batch // parts,
                gradient_accumulation_steps=parts,
                num_train_epochs=1,
                learning_rate=LR,
                bf16=precision == "bf16",
                gradient_checkpointing=False,
                use_cpu=not torch.cuda.is_available(),
                max_length=None,
                logging_steps=1000,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                train_sampling_strategy=sampling,
                remove_unused_columns=False,  # the lengths that rows are sorted by
                **more,
            )
            data = Dataset.from_dict(columns)
            made = trainer(model=model, args=arguments, train_dataset=data, processing_class=given.tokenizer)
            start = time.perf_counter()
            made.train()
            _finish()
            return time.perf_counter() - start

    return epoch


def bare(given: Setting, kind: str, precision: str) -> Callable[[], float]:
    """Forward and backward of as many tokens as the epoch's trees have, in full blocks, logits where responses are; no more.

    Blocks are as wide as the tree that a token stands in is long, in the mean: there is as much to attend to.
    """
    from torch.nn.functional import cross_entropy

    trees = _parts(given)
    total, answered = sum(map(sum, trees)), sum(sum(parts[1:]) for parts in trees)
    width = round(sum(sum(parts) ** 2 for parts in trees) / total)
    steps = -(-len(trees) // given.batch)
    rows = max(total // steps // width, 1)
    scale = total / (steps * rows * width)
    model = given.model(kind)
    model.set_attn_implementation("sdpa")
    ids = torch.randint(8000, (rows, width), device=model.device)
    read = torch.rand(rows * width, device=model.device).argsort()[: round(answered / total * rows * width)]

    def epoch() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            with torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bf16"):
                hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state.flatten(0, 1)
                if kind == "dpo":
                    loss = cross_entropy(model.lm_head(hidden[read]).float(), ids.flatten()[read])
                else:
                    loss = model.score(hidden[read[:: max(len(read) // 32, 1)]]).float().square().mean()
            loss.backward()
            model.zero_grad(set_to_none=True)
        _finish()
        return (time.perf_counter() - start) * scale

    return epoch


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
