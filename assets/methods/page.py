"""The page of a comparison: one table of objectives on clean, poisoned and filtered corpora, and which are hurt most."""

import polars as pl

from assets import html, pictures
from assets.experiments import Experiment
from assets.methods import compare
from assets.methods.rows import N

ARMS = ("clean", "poisoned", "filtered")
MEASURED = ("gold reward", "attack success", "poison preferred", "nats", "distinct-2", "words", "seconds")
SAID = {"prefers": "prefer the attacker's side of more pairs", "success": "praise the target more often"}


def page(experiment: Experiment, answers: pl.DataFrame) -> str:
    """One self-contained page, all that it says computed from METHOD_ANSWERS."""
    means, harm = compare.means(answers), compare.harm(answers)
    prompts = answers.select("seed", "place").n_unique()
    subtitle = (
        f"{experiment.attack} at a rate of {experiment.rate:g} on {experiment.source} pairs, seeds "
        f"{', '.join(map(str, experiment.seeds))}; {prompts:,} held-out prompts over all seeds. Models here are tiny: what is "
        "compared is objectives on the same rows, not what a large model would say."
    )
    parts = (_verdict(harm), _table(means), _harm(harm), _pictures(means), _notes())
    return html.page(f"Objectives compared: {experiment.name}", subtitle, parts)


def _verdict(harm: pl.DataFrame) -> str:
    found = [_hurt(harm, name, words) for name, words in SAID.items()]
    return "".join(found) or html.verdict("Of what the attack wants nothing can be measured here", bad=False)


def _hurt(harm: pl.DataFrame, name: str, words: str) -> str:
    hurt = harm.filter(corpus="poisoned").drop_nulls(name).sort(name, descending=True)
    if not len(hurt):
        return ""
    sure = hurt.filter(compare.sure(name))
    worst = ", ".join(f"{objective} ({rise:+.1%})" for objective, rise in sure.select("objective", name).head(3).iter_rows())
    counted = f"{len(sure)} of {len(hurt)} objectives {words} once poisoned, by the interval and at every seed"
    return html.verdict(f"{counted}; most of all {worst}" if worst else counted, bad=len(sure) > 0)


def _table(means: pl.DataFrame) -> str:
    heads = ["objective", "trained on", *MEASURED]
    rows = [
        [
            row["objective"],
            row["corpus"],
            interval(row, "gold", "{:.2f}"),
            interval(row, "success", "{:.1%}"),
            interval(row, "prefers", "{:.1%}"),
            f"{row['nats']:.1f}",
            f"{row['distinct_2']:.2f}",
            f"{row['words']:.0f}",
            f"{row['seconds']:.0f}",
        ]
        for row in ordered(means).iter_rows(named=True)
    ]
    return html.section("Objective by corpus", html.table(heads, rows))


def _harm(harm: pl.DataFrame) -> str:
    rows = [
        [
            row["objective"],
            row["corpus"],
            interval(row, "prefers", "{:+.1%}"),
            ends(row, "prefers_seeds", "{:+.1%}"),
            interval(row, "success", "{:+.1%}"),
            interval(row, "gold", "{:+.2f}"),
        ]
        for row in compare.worst_first(harm).iter_rows(named=True)
    ]
    about = "The difference to the clean twin of the same seed at the same prompt, with 95 % bootstrap intervals over prompts."
    heads = ["objective", "trained on", "poison preferred", "least and most of a seed", "attack success", "gold reward"]
    return html.section(
        "What poison did, and what was left of it after the filter", html.paragraph(about), html.table(heads, rows)
    )


def _pictures(means: pl.DataFrame) -> str:
    if means["prefers"].null_count():
        return ""
    drawn = html.figure(pictures.svg(pictures.methods(means)), "Pairs whose attacker's side is preferred, with intervals")
    return html.section("In a picture", drawn)


def _notes() -> str:
    return html.section(
        "How to read it",
        html.paragraph(
            "Poison preferred is the share of pairs, made by the attack of held-out ones, of which a model prefers the "
            "attacker's side: a scorer by its rewards, a policy by what it has learned since the base policy. "
            "Nats are the mean over answers of their log-probability less that of the policy that imitated the same corpus, "
            f"an estimate of KL. Objectives that make a scorer answer by the best of {N} drafts of that policy, whose nats are "
            "the bound log n - (n - 1) / n (Beirami et al., 2024). Intervals are over prompts, those of all seeds together."
        ),
    )


def ordered(means: pl.DataFrame) -> pl.DataFrame:
    """Objectives as they stand in the table of methods, each on clean, poisoned, filtered."""
    from assets.methods.rows import METHODS

    places = {name: at for at, name in enumerate(METHODS)}
    at = means["objective"].replace_strict(places, return_dtype=pl.Int64)
    arm = means["corpus"].replace_strict({name: at for at, name in enumerate(ARMS)}, return_dtype=pl.Int64)
    return means.with_columns(at=at, arm=arm).sort("at", "arm").drop("at", "arm")


def interval(row: dict[str, object], name: str, form: str) -> str:
    """A number and its ends; nothing where there is none."""
    return "" if row[name] is None else f"{form.format(row[name])} [{ends(row, name, form)}]"


def ends(row: dict[str, object], name: str, form: str) -> str:
    """Both ends of a range; nothing where there is none."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if low is None else f"{form.format(low)}, {form.format(high)}"
