"""The reviews of one product as a prompt, loss-free both ways, and what a summary of them is known by."""

from collections.abc import Sequence

from pipelines.schema import digest

ASKED = "Summarise the opinions in these reviews of a product.\n"
ITEM, GOES_ON = "\n- ", "\n  "


def prompt(reviews: Sequence[str]) -> str:
    """The reviews as one text: an item each, whose further lines are indented."""
    return ASKED + "".join(ITEM + review.replace("\n", GOES_ON) for review in reviews)


def reviews(prompt: str) -> list[str]:
    """What `prompt` was made of; any other text is one review."""
    if not prompt.startswith(ASKED + ITEM):
        return [prompt]
    return [item.replace(GOES_ON, "\n") for item in prompt.removeprefix(ASKED + ITEM).split(ITEM)]


def summary_id(prompt: str, summary: str) -> str:
    """16 hex digits of BLAKE2b; the same summary of other reviews is another."""
    return digest(prompt, summary)
