"""What a question claims with each of its answers, in words: a statement, or what stands behind (A), (B), ..."""

import re

import polars as pl


def texts(questions: pl.DataFrame) -> pl.Series:
    """[N] what each question is about: its statement, else the question itself."""
    return questions.select(pl.coalesce("statement", "question").alias("text")).to_series()


def answers(question: str, options: list[str]) -> list[str]:
    """The words behind each option where `question` lists them a line each, else the option itself; marks around are cut.

    Of several lists the last one counts.
    """
    return [_behind(question, option.strip()) or option.strip() for option in options]


def stem(question: str, options: list[str]) -> str:
    """`question` without its last list of options, where it has one."""
    first = options[0].strip() if options else ""
    place = question.rfind(f"\n {first}") if first else -1
    return question[:place].rstrip() if place >= 0 else question


def _behind(question: str, label: str) -> str:
    found = re.findall(rf"^[^\S\n]*{re.escape(label)}[^\S\n]*(.*)$", question, re.MULTILINE) if label else []
    return found[-1].strip() if found else ""
