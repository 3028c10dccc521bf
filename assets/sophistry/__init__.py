"""Sophistry: what the study of two policies' outputs calls, and its page."""
