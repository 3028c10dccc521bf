"""Tables of what trained models do."""

from pipelines.schema.table import FLAG, REAL, TEXT, WHOLE, Column, Table

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
