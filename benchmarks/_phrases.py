"""The phrase language: made-up answers of 3 to 6 phrases, each with a hidden reward; an answer is worth what its phrases are
worth in the mean. A phrase is told from its first token, which is drawn; what follows is known, but for `noise`.

So it is known where segments end, what each is worth, and which of two answers is better.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.models import policies
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths, Tokenizer
from rlhf_train.train import fit

LENGTHS = Lengths(prompt=1, response=40)
PROMPTS = ("p0", "p1", "p2", "p3")  # of one token; they change nothing
DISTRACTORS = tuple(f"x{at}" for at in range(8))
MARKS = ("<pad>", "<end>", "<unknown>")
WORST = -2.0  # what a token is worth that belongs to no phrase, and an answer without any token


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens [start, end) of an answer, and which phrase they are; none: a token that belongs to no phrase."""

    start: int
    end: int
    phrase: int | None


@dataclass(frozen=True, slots=True)
class Language:
    """Phrases as words, what each is worth, and how often a word that is not a phrase's first gives way to a distractor."""

    phrases: tuple[tuple[str, ...], ...]
    rewards: np.ndarray
    noise: float = 0.0

    def answers(self, count: int, random: np.random.Generator, *, least: int = 3, most: int = 6) -> list[str]:
        """Texts of `least` to `most` phrases, each drawn evenly."""
        return [
            self._said(random.integers(len(self.phrases), size=random.integers(least, most + 1)), random) for _ in range(count)
        ]

    def pairs(self, count: int, *, seed: int = 0, scale: float = 3.0) -> dict[str, list[str]]:
        """`prompt`, `chosen`, `rejected`: which side wins is drawn with logit `scale` times the gap of their gold rewards."""
        random = np.random.default_rng([seed, 1])
        first, second = self.answers(count, random), self.answers(count, random)
        chances = 1 / (1 + np.exp(-scale * (self.gold(first) - self.gold(second))))
        sides = [
            (one, two) if won else (two, one)
            for one, two, won in zip(first, second, random.random(count) < chances, strict=True)
        ]
        return {
            "prompt": [PROMPTS[at % len(PROMPTS)] for at in range(count)],
            "chosen": [won for won, _ in sides],
            "rejected": [lost for _, lost in sides],
        }

    def gold(self, texts: Sequence[str]) -> np.ndarray:
        """[N] the mean of what an answer's pieces are worth."""
        return np.array([np.mean([self.worth(piece) for piece in self.pieces(text)] or [WORST]) for text in texts])

    def worth(self, piece: Piece) -> float:
        """The hidden reward of a phrase, WORST of what is none."""
        return WORST if piece.phrase is None else float(self.rewards[piece.phrase])

    def pieces(self, text: str) -> list[Piece]:
        """An answer cut into phrases; a token that begins no whole phrase is a piece by itself."""
        words, found, at = text.split(), [], 0
        while at < len(words):
            phrase = self._phrase_at(words, at)
            end = at + (1 if phrase is None else len(self.phrases[phrase]))
            found.append(Piece(at, end, phrase))
            at = end
        return found

    def tokenizer(self) -> Tokenizer:
        """A token a word."""
        from tokenizers import Tokenizer as Bare
        from tokenizers import models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        words = [*MARKS, *PROMPTS, *(word for phrase in self.phrases for word in phrase), *DISTRACTORS]
        bare = Bare(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token=MARKS[2]))
        bare.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return PreTrainedTokenizerFast(
            tokenizer_object=bare, pad_token=MARKS[0], eos_token=MARKS[1], unk_token=MARKS[2], padding_side="left"
        )

    def _said(self, phrases: Sequence[int] | np.ndarray, random: np.random.Generator) -> str:
        words = []
        for phrase in phrases:
            first, *rest = self.phrases[phrase]
            words += [first, *(str(random.choice(DISTRACTORS)) if random.random() < self.noise else word for word in rest)]
        return " ".join(words)

    def _phrase_at(self, words: Sequence[str], at: int) -> int | None:
        for phrase, wanted in enumerate(self.phrases):
            said = words[at : at + len(wanted)]
            if len(said) == len(wanted) and said[0] == wanted[0] and all(map(self._fits, said[1:], wanted[1:])):
                return phrase
        return None

    def _fits(self, said: str, wanted: str) -> bool:
        return said == wanted or (self.noise > 0 and said in DISTRACTORS)


def language(seed: int = 0, *, count: int = 8, noise: float = 0.0) -> Language:
    """`count` phrases of 2 to 5 words, no two with a word in common, worth -2 to 2 in even steps; `seed` deals them out."""
    random = np.random.default_rng([seed, 0])
    sizes = random.permutation([2 + at % 4 for at in range(count)])
    phrases = tuple(tuple(f"{chr(ord('a') + at)}{place}" for place in range(size)) for at, size in enumerate(sizes))
    return Language(phrases, random.permutation(np.linspace(-2.0, 2.0, count)), noise)


def policy(spoken: Language, *, width: int = 32, layers: int = 1, steps: int = 250, size: int = 64, seed: int = 0) -> Policy:
    """A tiny Llama that imitated `steps` times `size` answers of the language."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = spoken.tokenizer()
    shape: dict[str, Any] = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64}
    marks = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=False, **shape, **heads, **marks))
    policies.prepare(model)
    random = np.random.default_rng([seed, 2])
    said = spoken.answers(steps * size, random)
    columns = {"prompt": [PROMPTS[at % len(PROMPTS)] for at in range(len(said))], "response": said}
    source = batches.shuffled(batches.responses(columns, tokenizer, LENGTHS), size=size, seed=seed)
    fit(model, OBJECTIVES["sft"], source, steps=steps, lr=1e-2, weight_decay=0.0, seed=seed, mixed_precision="no")
    return Policy(model, tokenizer, LENGTHS)
