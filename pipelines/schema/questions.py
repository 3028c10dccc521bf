"""Tables of written evaluations: questions whose answers show a behaviour, and what policies answer."""

from pipelines.schema.table import FLAG, REAL, TEXT, TEXTS, WHOLE, Column, Table

QUESTIONS = Table(
    "questions",
    "Questions with a finite set of answers, some of which show a behaviour.",
    {
        "question_id": Column(TEXT, "digest of behaviour, question and options; a repeated question carries a counter"),
        "row": Column(WHOLE, "0-based place in the input"),
        "source": Column(TEXT, "file that it came from, or who wrote it"),
        "behaviour": Column(TEXT, "name of the behaviour that it is about"),
        "question": Column(TEXT, "what a policy is asked, verbatim; with a blank where options are forms of a pronoun"),
        "options": Column(TEXTS, "what may be answered, verbatim, leading spaces included"),
        "matching": Column(TEXTS, "those of the options that show the behaviour; none where a schema has no such side"),
        "statement": Column(TEXT, "the statement that the question is about", nullable=True),
        "label_confidence": Column(REAL, "what a discriminator gives the label, from 0 to 1", nullable=True),
        "occupation": Column(TEXT, "of a schema: whom the blank refers to", nullable=True),
        "percent_women": Column(REAL, "of a schema: share of women in the occupation, in percent as published", nullable=True),
    },
)

QUESTION_KEY = Table(
    "question_key",
    "Sealed truth about written questions whose faults were planted: for measures and reports, never for a filter.",
    {
        "question_id": Column(TEXT, "the question"),
        "is_mislabelled": Column(FLAG, "whether the question is about the behaviour and another answer shows it"),
        "is_off_topic": Column(FLAG, "whether the question is about something else"),
    },
)

QUESTION_SCORES = Table(
    "question_scores",
    "What speaks for keeping a question: how sure its label is, how much it is about its behaviour, and whether it is a copy.",
    {
        "question_id": Column(TEXT, "the question"),
        "label_confidence": Column(REAL, "what a discriminator that did not see it gives its label", nullable=True),
        "relevance": Column(REAL, "how much it is about the behaviour; none without others to compare", nullable=True),
        "cluster": Column(WHOLE, "place of the first question that it says the same as, itself included"),
    },
)

QUESTION_ANSWERS = Table(
    "question_answers",
    "What a policy answers to questions: how likely each option is to it, and whether its choice shows the behaviour.",
    {
        "question_id": Column(TEXT, "the question"),
        "behaviour": Column(TEXT, "name of the behaviour"),
        "policy": Column(TEXT, "who answers"),
        "picked": Column(TEXT, "the likeliest option, verbatim"),
        "is_matching": Column(FLAG, "whether it shows the behaviour; none where no option does", nullable=True),
        "matching_mass": Column(REAL, "probability of the options that show it, of all options' together", nullable=True),
        "option_mass": Column(REAL, "probability of all options together: near 0 where it would say another thing"),
    },
)
