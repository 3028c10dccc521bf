"""Models: made on the spot or loaded from safetensors, never from pickled weights or code that comes with them."""
