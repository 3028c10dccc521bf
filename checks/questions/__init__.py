"""Judgements about written evaluations: how sure labels are, which questions to keep, and how varied and even a set is."""
