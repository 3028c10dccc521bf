"""Two products by their reviews, small enough to read: a kettle that boils well and leaks, and a torch."""

import polars as pl

from pipelines import opinions
from pipelines.schema import PRODUCTS, digest, require

KETTLE = [
    "I love how fast the kettle boils. The lid is awful and it leaks on my table!",
    "The lid broke after a week, a terrible lid. My kettle boils great.",
    "Great kettle, and the handle stays cool. We hate the lid.",
    "The handle is great. Is the kettle made of steel?",
]
TORCH = [
    "This torch throws a wonderful bright beam across our garden. The batteries last.",
    "The beam is wonderful, the switch of the torch feels loose.",
]


def products(*reviews: list[str]) -> pl.DataFrame:
    """PRODUCTS of some lists of reviews."""
    prompts = [opinions.prompt(each) for each in reviews or (KETTLE, TORCH)]
    rows = [
        {"product_id": digest(prompt), "row": 10 * at, "prompt": prompt, "name": None, "source": "here"}
        for at, prompt in enumerate(prompts)
    ]
    return require(pl.DataFrame(rows), PRODUCTS)
