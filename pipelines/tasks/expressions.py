"""Arithmetic expressions, exactly: numbers, + - * / and brackets as fractions, by descent; nothing of the text is executed."""

import re
from fractions import Fraction

LONGEST = 150  # characters; a step of a worked solution is far shorter
DIGITS = 30  # of a number
TOKEN = re.compile(r"\s*(?:(\d[\d,]*(?:\.\d+)?|\.\d+)(%?)|([-+*/()xX×÷−–]))", re.ASCII)
SIGNS = {"x": "*", "X": "*", "×": "*", "÷": "/", "−": "-", "–": "-"}
THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)


class Unreadable(ValueError):
    """Why a text is no expression."""


def value(text: str) -> Fraction:
    """What an expression comes to; raises Unreadable for anything else, a division by zero included."""
    tokens = _tokens(text)
    found, rest = _sum(tokens)
    if rest:
        raise Unreadable(f"unexpected {rest[0]} in {text[:40]!r}")
    return found


def number(text: str) -> Fraction:
    """A single number: 1,250 or -0.5 or 3/4 or $18 or 50%; raises Unreadable for anything else."""
    bare = text.strip().removesuffix(".").replace("$", "").replace("€", "").replace("£", "").strip()
    if not re.fullmatch(r"[-−–]?\s*[\d.,]+%?(?:\s*/\s*[\d,]+)?", bare, re.ASCII):
        raise Unreadable(f"{text[:40]!r} is no number")
    return value(bare)


def places(text: str) -> int:
    """Digits after the point of a written number."""
    return len(text.strip().rstrip("%").partition(".")[2])


def _tokens(text: str) -> list[str | Fraction]:
    if len(text) > LONGEST:
        raise Unreadable(f"an expression of {len(text)} characters; {LONGEST} at most are read")
    found: list[str | Fraction] = []
    at = 0
    while at < len(text.rstrip()):
        match = TOKEN.match(text, at)
        if not match:
            raise Unreadable(f"{text[at:].strip()[:1]!r} in {text[:40]!r} is no part of an expression")
        found.append(_number(match.group(1), match.group(2)) if match.group(1) else SIGNS.get(match.group(3), match.group(3)))
        at = match.end()
    return found


def _number(digits: str, percent: str) -> Fraction:
    if "," in digits and not THOUSANDS.fullmatch(digits):
        raise Unreadable(f"{digits[:40]!r} is no number: commas part thousands")
    if len(digits) > DIGITS:
        raise Unreadable(f"a number of {len(digits)} digits; {DIGITS} at most are read")
    return Fraction(digits.replace(",", "")) / (100 if percent else 1)


Tokens = list[str | Fraction]


def _sum(tokens: Tokens) -> tuple[Fraction, Tokens]:
    found, tokens = _product(tokens)
    while tokens and tokens[0] in ("+", "-"):
        more, rest = _product(tokens[1:])
        found = found + more if tokens[0] == "+" else found - more
        tokens = rest
    return found, tokens


def _product(tokens: Tokens) -> tuple[Fraction, Tokens]:
    found, tokens = _factor(tokens)
    while tokens and tokens[0] in ("*", "/"):
        more, rest = _factor(tokens[1:])
        if tokens[0] == "/" and not more:
            raise Unreadable("a division by zero")
        found = found * more if tokens[0] == "*" else found / more
        tokens = rest
    return found, tokens


def _factor(tokens: Tokens) -> tuple[Fraction, Tokens]:
    if not tokens:
        raise Unreadable("the expression ends where a number is due")
    first, rest = tokens[0], tokens[1:]
    if isinstance(first, Fraction):
        return first, rest
    if first in ("-", "+"):
        found, rest = _factor(rest)
        return (-found if first == "-" else found), rest
    if first != "(":
        raise Unreadable(f"unexpected {first!r} where a number is due")
    found, rest = _sum(rest)
    if not rest or rest[0] != ")":
        raise Unreadable("a bracket is not closed")
    return found, rest[1:]
