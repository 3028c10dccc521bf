"""Tables of preference pairs, and of what is known or thought of them."""

from pipelines.schema.table import FLAG, REAL, TEXT, WHOLE, Column, Table

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

CONFIRM, PUT_BACK = "confirm", "put_back"  # what may be decided of a pair that was set aside

DECISIONS = Table(
    "decisions",
    "What people decided of pairs that a filter had set aside, in order: of a pair that stands there again, the last counts.",
    {
        "pair_id": Column(TEXT, "the pair"),
        "decision": Column(TEXT, f"{CONFIRM}: it stays out; {PUT_BACK}: it is learned from again"),
        "reviewer": Column(TEXT, "who decided, as far as it was told", nullable=True),
        "comment": Column(TEXT, "why, in the reviewer's words", nullable=True),
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
