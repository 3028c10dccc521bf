"""Tables of products, summaries of their reviews and what those are worth."""

from pipelines.schema.table import REAL, TEXT, WHOLE, Column, Table

#: the seven domain features of a summary, in the order in which every vector of them stands (Nath et al., 2024)
FEATURE_NAMES = (
    "aspect_coverage",
    "opinion_faithfulness",
    "opinion_coverage",
    "conciseness",
    "relevance",
    "hallucination",
    "language_correctness",
)
FULL_MARKS = 5.0  # features lie in [0, FULL_MARKS]
TIERS = ("gold", "good", "slightly_bad", "very_bad")  # of summaries, the best first; gold is written by people

PRODUCTS = Table(
    "products",
    "Products by what is said of them: the reviews of one product are one prompt.",
    {
        "product_id": Column(TEXT, "digest of the reviews"),
        "row": Column(WHOLE, "0-based place in the input"),
        "prompt": Column(TEXT, "the reviews as one text, from which pipelines.opinions reads them back"),
        "name": Column(TEXT, "what the source calls the product", nullable=True),
        "source": Column(TEXT, "where the reviews came from"),
    },
)

SUMMARIES = Table(
    "summaries",
    "Summaries of a product's reviews, each once.",
    {
        "summary_id": Column(TEXT, "digest of prompt and summary"),
        "prompt": Column(TEXT, "the reviews as one text"),
        "summary": Column(TEXT, "verbatim"),
        "tier": Column(TEXT, f"how good it was meant to be: {', '.join(TIERS)}", nullable=True),
        "source": Column(TEXT, "where the summary came from"),
    },
)

FEATURES = Table(
    "features",
    "The seven domain features of summaries, each from 0 (worst) to 5; hallucination is reversed, so that 5 is none.",
    {
        "summary_id": Column(TEXT, "digest of prompt and summary"),
        "scorer": Column(TEXT, "who scored: published, offline, or a model with the digest of its rubric"),
        **{name: Column(REAL, f"{name.replace('_', ' ')}, 0 to 5") for name in FEATURE_NAMES},
    },
)
