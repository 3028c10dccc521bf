"""Tensors: one loop and one batch format under every reward model and policy. Imports none of the other packages."""
