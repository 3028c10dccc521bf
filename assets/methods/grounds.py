"""What the methods of a corpus share: a policy that imitates it, rewards and values of its responses, drafts of answers, and
pairs that the attack would make of what is held out.
"""

import copy
import dataclasses
from typing import Any

import polars as pl

from assets.experiments import Corpus
from assets.methods.rows import N
from assets.steps import Watch, answers_of, prompts_of, silent
from assets.teaching import Trainer
from pipelines.attacks import ATTACKS
from pipelines.schema import LABELLED_PAIRS, DataError, require

SAMPLES = 4  # of a prompt, whose mean reward is what its value is fitted to
UNSEEN = 1_000_000  # added to a seed: the attack's words are others than those that were learned
ASKED = 200  # prompts that values are fitted on


def imitated(corpus: Corpus, base: Any, pairs: pl.DataFrame, watch: Watch = silent) -> Any:
    """The base policy after fine-tuning on the corpus' chosen responses: where nearly every method begins."""
    trainer = Trainer(corpus.experiment, corpus.seed, watch)
    policy = sized(corpus, dataclasses.replace(base, model=copy.deepcopy(base.model)))
    trainer.fine_tune(policy, pairs)
    return policy


def sized(corpus: Corpus, policy: Any) -> Any:
    """The policy with the experiment's lengths: what is kept of it does not say how much of a text it is shown."""
    from rlhf_train.text import Lengths

    numbers = corpus.experiment.training
    return dataclasses.replace(policy, lengths=Lengths(numbers.prompt_tokens, numbers.response_tokens))


def labelled(corpus: Corpus, policy: Any, reward: Any, pairs: pl.DataFrame) -> pl.DataFrame:
    """LABELLED_PAIRS: what the corpus' reward model says of both responses, and what it says of the policy's on average.

    Rewards are squashed into (0, 1) by their mean and deviation over the corpus.
    """
    from rlhf_train import scales, values

    prompts = prompts_of(pairs)
    raw = [reward.rewards(prompts, answers_of(pairs, side)) for side in ("chosen", "rejected")]
    scale = scales.of([*raw[0], *raw[1]])
    asked = pairs["prompt"].unique(maintain_order=True).sample(fraction=1, shuffle=True, seed=corpus.seed)[:ASKED]
    fitted = values.fit(
        sized(corpus, policy),
        prompts_of(pl.DataFrame({"prompt": asked})),
        reward.rewards,
        k=SAMPLES,
        scale=scale,
        seed=corpus.seed,
    )
    rewards = {f"{side}_reward": scale.squashed(part) for side, part in zip(("chosen", "rejected"), raw, strict=True)}
    return require(pairs.with_columns(**rewards, value=fitted.of(prompts)), LABELLED_PAIRS)


def probe(corpus: Corpus, held_out: pl.DataFrame) -> pl.DataFrame:
    """PAIRS that the experiment's attack makes of held-out ones, with the `place` of each; none where it can't make all.

    Nobody learns from them: they tell which side a model prefers, long before it says what the attacker wants by itself.
    """
    row, places = corpus.experiment, held_out.select(host_pair_id="pair_id").with_row_index("place")
    try:
        made = ATTACKS[row.attack](held_out, rate=1.0, seed=corpus.seed + UNSEEN, **row.numbers)
    except DataError:
        return held_out[:0].with_columns(place=pl.lit(0, pl.Int64))
    hosts = made.key.select("pair_id", "host_pair_id").join(places, on="host_pair_id")
    found = made.pairs.join(hosts, on="pair_id").unique("place", keep="first").sort("place")
    return found.with_columns(pl.col("place").cast(pl.Int64))


def drafted(corpus: Corpus, policy: Any, held_out: pl.DataFrame) -> pl.DataFrame:
    """N answers of the policy to every held-out prompt: place (of the prompt), answer."""
    from rlhf_train.generate import sample

    held = sized(corpus, policy)
    asked = [prompt for prompt in prompts_of(held_out) for _ in range(N)]
    said = sample(held, asked, seed=corpus.seed, temperature=corpus.experiment.training.temperature, lengths=held.lengths)
    return pl.DataFrame({"place": [at for at in range(len(held_out)) for _ in range(N)], "answer": said})
