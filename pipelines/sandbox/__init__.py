"""Untrusted Python programs, each in a process of its own that reaches neither network nor files nor other processes."""

from pipelines.sandbox.running import CLOSED, LAYERS, End, Limits, Ran, run, run_all, strength

__all__ = ["CLOSED", "LAYERS", "End", "Limits", "Ran", "run", "run_all", "strength"]
