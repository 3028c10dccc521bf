"""Tables of what trained models do."""

from pipelines.schema.table import FLAG, REAL, REALS, TEXT, WHOLE, Column, Table

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

TRACES = Table(
    "traces",
    "Distances of a student while it learns from its teacher, a row a measurement; means over held-out prompts, in nats.",
    {
        "arm": Column(TEXT, "whose answers it learns"),
        "seed": Column(WHOLE, "of world, training and sampling alike"),
        "step": Column(WHOLE, "steps done"),
        "loss": Column(REAL, "of the last step; none of the first measurement", nullable=True),
        "proxy": Column(REAL, "KL(teacher || student)"),
        "golden": Column(
            REAL, "KL(oracle || student), or how unlikely people's answers are; none without either", nullable=True
        ),
        "proxy_each": Column(REALS, "of each held-out prompt"),
        "golden_each": Column(REALS, "of each held-out prompt", nullable=True),
        "teacher": Column(REAL, "the teacher's own golden distance", nullable=True),
    },
)
