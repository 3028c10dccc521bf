"""Experiments of opinions: summaries of product reviews, their features, and rewards that read those and no text."""
