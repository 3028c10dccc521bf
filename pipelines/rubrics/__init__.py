"""Rubrics: a language model's marks for the seven domain features of a summary; `score` gives the table FEATURES."""

from pipelines.rubrics.scoring import Scored, score

__all__ = ["Scored", "score"]
