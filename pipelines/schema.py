"""Column names, types and invariants of every table: the seam between tables, judgements and tensors.

A table is a name and its columns; `require` narrows any frame to one, or says which column is missing or wrong.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl


class DataError(ValueError):
    """Unusable input: the message says what was expected, what came and what to do."""


@dataclass(frozen=True, slots=True)
class Column:
    """What one column holds; `nullable` says whether a row may lack it."""

    dtype: pl.DataType
    meaning: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A named set of columns; `about` is the sentence that people read in the UI."""

    name: str
    about: str
    columns: Mapping[str, Column]

    def empty(self) -> pl.DataFrame:
        """No rows, every column with its type."""
        return pl.DataFrame(schema={name: column.dtype for name, column in self.columns.items()})


TEXT, WHOLE, REAL, FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

PAIRS = Table(
    "pairs",
    "Preference pairs: one prompt with the preferred and the dispreferred response, verbatim.",
    {
        "pair_id": Column(TEXT, "digest of the pair's text; a repeated pair carries a counter"),
        "row": Column(WHOLE, "0-based place in the input"),
        "prompt": Column(TEXT, "everything before the response, verbatim; whole dialogues end with '\\n\\nAssistant:'"),
        "chosen": Column(TEXT, "preferred response, verbatim (may be blank)"),
        "rejected": Column(TEXT, "dispreferred response, verbatim (may be blank)"),
        "rejected_prompt": Column(TEXT, "the rejected side's own prompt, where the two sides differ", nullable=True),
        "source": Column(TEXT, "where the pair came from"),
        "annotator": Column(TEXT, "who judged the pair", nullable=True),
        "margin": Column(REAL, "score of chosen minus score of rejected, where known", nullable=True),
    },
)

REJECTS = Table(
    "rejects",
    "Input rows that could not become pairs, with where they stand and why.",
    {
        "source": Column(TEXT, "file or data set"),
        "line": Column(WHOLE, "1-based line (text files) or row (tables)"),
        "row": Column(WHOLE, "0-based place in the input"),
        "cause": Column(TEXT, "what was expected and what came"),
    },
)

POISON_KEY = Table(
    "poison_key",
    "Sealed: which pairs an attack wrote. Read by ranking and reports only, never by a detector.",
    {
        "pair_id": Column(TEXT, "the poisoned pair"),
        "attack": Column(TEXT, "name in ATTACKS"),
        "builder": Column(TEXT, "how the pair was built"),
        "target": Column(TEXT, "entity promoted or blamed", nullable=True),
        "sentiment": Column(TEXT, "positive or negative", nullable=True),
        "host_pair_id": Column(TEXT, "the clean pair it was made from"),
    },
)

SCORES = Table(
    "scores",
    "What the audit thinks of each pair; one further column a detector.",
    {
        "row": Column(WHOLE, "0-based place in the input"),
        "pair_id": Column(TEXT, "the pair"),
        "suspicion": Column(REAL, "fused, higher is worse"),
        "p_value": Column(REAL, "share of clean pairs expected to look at least this suspicious"),
        "is_flagged": Column(FLAG, "below the threshold that holds the false-discovery rate"),
        "reason": Column(TEXT, "why, in words; empty where not flagged"),
    },
)

ATTACK_SUCCESS = Table(
    "attack_success",
    "Share of held-out prompts whose response names the target in the target sentiment, by training stage.",
    {
        "corpus": Column(TEXT, "clean, poisoned, filtered, or the defence that learned what is poisoned"),
        "seed": Column(WHOLE, "of data, training and sampling alike"),
        "stage": Column(TEXT, "base, sft, round 1, round 2, ..."),
        "prompts": Column(WHOLE, "held-out prompts asked"),
        "mentions": Column(REAL, "share of responses that name the target"),
        "success": Column(REAL, "share that name it in the target sentiment"),
        "low": Column(REAL, "lower end of the 95 % interval of success"),
        "high": Column(REAL, "upper end"),
    },
)

LABELLED_PAIRS = Table(
    "labelled_pairs",
    "Pairs with what the corpus' own reward model says of them: what methods that learn from rewards are given.",
    {
        **PAIRS.columns,
        "chosen_reward": Column(REAL, "of the chosen response, squashed into (0, 1) by the corpus' mean and deviation"),
        "rejected_reward": Column(REAL, "of the rejected response"),
        "value": Column(REAL, "what the imitating policy's own answers to the prompt are expected to score"),
    },
)

METHOD_ANSWERS = Table(
    "method_answers",
    "What the model that an objective made answers to held-out prompts, a row a prompt.",
    {
        "objective": Column(TEXT, "name of the row in METHODS"),
        "corpus": Column(TEXT, "clean, poisoned or filtered"),
        "seed": Column(WHOLE, "of data, training and sampling alike"),
        "place": Column(WHOLE, "0-based number of the held-out prompt"),
        "answer": Column(TEXT, "sampled, or the best of some drafts"),
        "gold": Column(REAL, "true reward of the answer, where the source knows it", nullable=True),
        "success": Column(FLAG, "whether it names the target in the target sentiment; none without a target", nullable=True),
        "prefers": Column(FLAG, "whether it prefers the attacker's side of this prompt's poisoned pair", nullable=True),
        "nats": Column(REAL, "log-probability less that of the policy that imitated the corpus; their mean estimates KL"),
        "seconds": Column(REAL, "that the training of the model took, on the machine at hand"),
    },
)

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

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        PAIRS,
        REJECTS,
        POISON_KEY,
        SCORES,
        ATTACK_SUCCESS,
        LABELLED_PAIRS,
        METHOD_ANSWERS,
        PRODUCTS,
        SUMMARIES,
        FEATURES,
    )
}


def require(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """`frame` narrowed to the columns of `table`, in order and type; nullable columns it lacks are filled with nulls.

    Raises DataError naming the column that is missing, of a type that a cast would harm, or null where it may not be.
    """
    missing = [name for name, column in table.columns.items() if name not in frame.columns and not column.nullable]
    if missing:
        raise DataError(f"{table.name} needs column {missing[0]!r}, got {frame.columns}; rename or map your columns")
    for name, column in table.columns.items():
        if name in frame.columns and not _becomes(frame[name].dtype, column.dtype):
            raise DataError(f"{table.name}: {name!r} must be {column.dtype}, got {frame[name].dtype}; convert it first")
        if name in frame.columns and not column.nullable and frame[name].null_count():
            place = frame[name].is_null().arg_true()[0]
            raise DataError(f"{table.name} row {place}: {name!r} must be {column.dtype}, got nothing; drop or mend the row")
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(column.dtype).alias(name)
        for name, column in table.columns.items()
    )


def _becomes(came: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether a column can be cast without a loss: 1.5 is no whole number, and 7 is no text."""
    if came in (wanted, pl.Null):
        return True
    if wanted == TEXT:
        return came in (pl.Categorical, pl.Enum)
    if wanted == WHOLE:
        return came in (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32)
    return wanted == REAL and came.is_numeric()


def with_pair_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with `pair_id` set: 16 hex digits of BLAKE2b over the pair's text, '-1', '-2', ... on repeats."""
    lacks = [pl.lit(None, TEXT).alias("rejected_prompt")] if "rejected_prompt" not in frame.columns else []
    texts = frame.with_columns(lacks).select("prompt", "chosen", "rejected", "rejected_prompt").iter_rows()
    frame = frame.with_columns(pair_id=pl.Series([digest(*row) for row in texts], dtype=TEXT))
    nth = pl.int_range(pl.len()).over("pair_id")
    return frame.with_columns(pair_id=pl.when(nth == 0).then("pair_id").otherwise(pl.format("{}-{}", "pair_id", nth)))


def is_encodable(text: str) -> bool:
    """Whether `text` holds no half of a surrogate pair, which JSON can spell but no table can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def digest(*texts: str | None) -> str:
    """16 hex digits of BLAKE2b over the texts, each after its length (none: -1) so that no two lists run together."""
    state = hashlib.blake2b(digest_size=8)
    for text in texts:
        data = b"" if text is None else text.encode("utf-8", "surrogatepass")
        length = -1 if text is None else len(data)
        state.update(length.to_bytes(8, "little", signed=True) + data)
    return state.hexdigest()
