"""Tables of what policies put forward and who believes it."""

from pipelines.schema.table import FLAG, REAL, TEXT, TEXTS, WHOLE, Column, Table

CONFIDENCES = (0, 25, 50, 75, 100)  # how sure a judge may be, in percent, that an output is correct; at 50 it is unsure

ITEMS = Table(
    "items",
    "Questions whose right answer is known.",
    {
        "item_id": Column(TEXT, "digest of what is asked and of the evidence, whatever the order of options"),
        "task": Column(TEXT, "name in TASKS"),
        "prompt": Column(TEXT, "what is asked, options included, without the evidence"),
        "options": Column(TEXTS, "what may be answered, A first; none where an answer is free", nullable=True),
        "gold": Column(TEXT, "the right answer: an option's letter, a number; none where tests decide", nullable=True),
        "evidence": Column(TEXT, "what settles the question: passage, tests, working", nullable=True),
        "support": Column(TEXTS, "the parts of the evidence that are enough, verbatim; none where unknown", nullable=True),
        "source": Column(TEXT, "file that it came from, or who wrote it"),
        "line": Column(WHOLE, "1-based line there"),
    },
)

OUTPUTS = Table(
    "outputs",
    "What policies answer to items whose right answer is known.",
    {
        "item_id": Column(TEXT, "digest of the item: the same for every policy that is asked it"),
        "task": Column(TEXT, "name in TASKS"),
        "policy": Column(TEXT, "who answers: base, trained, ..."),
        "prompt": Column(TEXT, "the item as the policy sees it, verbatim"),
        "evidence": Column(TEXT, "what a judge may look at to check the output: passage, tests, working", nullable=True),
        "output": Column(TEXT, "verbatim"),
        "is_correct": Column(FLAG, "by the gold label, the tests or the steps"),
        "proxy": Column(REAL, "the reward it was trained on, where known", nullable=True),
    },
)

VERDICTS = Table(
    "verdicts",
    "What judges, people or models, make of outputs; a judgement that was not to be had stands with its fault.",
    {
        "item_id": Column(TEXT, "the item"),
        "policy": Column(TEXT, "whose output it is"),
        "judge": Column(TEXT, "who judges: an opaque name"),
        "confidence": Column(REAL, "0, 25, 50, 75 or 100 percent sure that it is correct; above 50 approves", nullable=True),
        "seconds": Column(REAL, "that the judge took", nullable=True),
        "reason": Column(TEXT, "in the judge's words", nullable=True),
        "consent": Column(FLAG, "whether a person agreed that the judgement is used; none of models", nullable=True),
        "fault": Column(TEXT, "why there is no confidence: no answer, out of format, out of time", nullable=True),
    },
)
