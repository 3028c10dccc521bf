"""What tests of summaries share: products, summaries, marks and pairs that can be read at a glance."""

import polars as pl

from pipelines import opinions
from pipelines.opinions import summary_id
from pipelines.schema import FEATURES, PRODUCTS, SUMMARIES, digest, require

REVIEWS = ["The lid leaks and I hate it. The kettle boils fast, great.", "Great kettle, it boils fast. The lid leaks."]


def products(count):
    """PRODUCTS that differ in a number."""
    prompts = [opinions.prompt([*REVIEWS, f"Kettle {at} is fine."]) for at in range(count)]
    rows = [
        {"product_id": digest(prompt), "row": at, "prompt": prompt, "name": None, "source": "here"}
        for at, prompt in enumerate(prompts)
    ]
    return require(pl.DataFrame(rows), PRODUCTS)


def summaries(texts, prompt="p"):
    rows = [(summary_id(prompt, text), prompt, text, tier, "here") for text, tier in texts]
    return pl.DataFrame(rows, schema=SUMMARIES.empty().schema, orient="row")


def marks(table, scorer="published"):
    """FEATURES of {text: marks} to the prompt "p"."""
    rows = [(summary_id("p", text), scorer, *each) for text, each in table.items()]
    return pl.DataFrame(rows, schema=FEATURES.empty().schema, orient="row")


def pair(chosen, rejected, at=0):
    return {"pair_id": str(at), "row": at, "prompt": "p", "chosen": chosen, "rejected": rejected, "source": "s"}
