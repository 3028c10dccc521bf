"""Evaluations: each measures one thing about a trained model, with an interval."""
