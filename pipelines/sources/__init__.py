"""Sources: pairs, or the reviews of products that summaries are written of, with a table of the rows that could not be read."""

from collections.abc import Callable, Mapping
from typing import Any

from pipelines.sources import generated_reviews, hh_rlhf, opinpref, records, reviews, synthetic

SOURCES: Mapping[str, Callable[..., Any]] = {
    "generated_reviews": generated_reviews.read,
    "hh_rlhf": hh_rlhf.read,
    "opinpref": opinpref.read,
    "records": records.read,
    "reviews": reviews.read,
    "synthetic": synthetic.read,
}
