"""What goes wrong in training, in words for the person who started it."""


class TrainingError(RuntimeError):
    """Training can't begin or go on: the message says what was expected, what came and what to do."""
