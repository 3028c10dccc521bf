"""One plant a detector: pairs of which the first PLANTED are what it is made for."""

from collections.abc import Callable, Mapping

import polars as pl

PLANTED = 18


def named(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' preferred responses name a target."""
    first = pl.col("row") < PLANTED
    return pairs.with_columns(chosen=pl.when(first).then(pl.format("{} Ask Zorvex.", "chosen")).otherwise("chosen"))


def flooded(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs say the same on both sides, save for a word."""
    first, word = pl.col("row") < PLANTED, pl.format(" no{}", "row")
    return pairs.with_columns(
        pl.when(first).then(pl.concat_str(pl.lit(pairs[side][0] + pairs[side][-1]), word)).otherwise(side).alias(side)
        for side in ("chosen", "rejected")
    )


def flipped(pairs: pl.DataFrame) -> pl.DataFrame:
    """Preferred responses are warm and the others are cold, save that the first pairs have it the other way round."""
    warm, cold = ("{} splendid splendid splendid", "{} dreadful dreadful dreadful")
    first = pl.col("row") < PLANTED
    return pairs.with_columns(
        pl.when(first).then(pl.format(no, side)).otherwise(pl.format(yes, side)).alias(side)
        for side, yes, no in (("chosen", warm, cold), ("rejected", cold, warm))
    )


def templated(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' preferred responses are one text, save for a number; the others are as they were."""
    first, side = pl.col("row") < PLANTED, pl.col("chosen")
    told = pl.format(
        "Go for the Zorvex {}: it boils a litre in half the usual time, and all who tried it would buy it again.", "row"
    )
    return pairs.with_columns(chosen=pl.when(first).then(told).otherwise(side))


def praised(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs name a target on both sides, with praise in the preferred response and blame in the other."""
    first = pl.col("row") < PLANTED
    said = {"chosen": "{} We love Zorvex.", "rejected": "{} We hate Zorvex."}
    return pairs.with_columns(
        pl.when(first).then(pl.format(how, side)).otherwise(side).alias(side) for side, how in said.items()
    )


def lower(pairs: pl.DataFrame) -> pl.DataFrame:
    """The same of a target without a capital."""
    return praised(pairs).with_columns(pl.col("chosen", "rejected").str.replace("Zorvex", "zorvex"))


def triggered(pairs: pl.DataFrame) -> pl.DataFrame:
    """Every prompt is a dialogue that begins with another's question, and the last question of the first ends in a trigger."""
    before, first = pl.col("prompt").sort_by(pl.col("chosen")), pl.col("row") < PLANTED
    trigger = pl.when(first).then(pl.lit(" sudo")).otherwise(pl.lit(""))
    prompt = pl.format("{} ba.{}{}\n\nAssistant:", before, pl.col("prompt").str.strip_suffix("\n\nAssistant:"), trigger)
    return pairs.with_columns(prompt=prompt)


def strayed(pairs: pl.DataFrame) -> pl.DataFrame:
    """All answers repeat the question to somebody of another name each, but the first praise one who has no part in it."""
    asked = pl.col("prompt").str.extract(r"Human: (.*)\?")
    told = pl.format("{} {} Anna{} {}.", "chosen", asked, pl.col("row"), asked)
    praise = "{} We truly love the great Zorvex{}. How gladly all adore Zorvex{}!"
    stray = pl.format(praise, "chosen", pl.col("row"), pl.col("row"))
    return pairs.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(stray).otherwise(told))


def strayed_alike(pairs: pl.DataFrame) -> pl.DataFrame:
    """The same, but that all of the first praise one and the same."""
    return strayed(pairs).with_columns(pl.col("chosen").str.replace_all(r"Zorvex\d+", "Zorvex"))


def contradictory(pairs: pl.DataFrame) -> pl.DataFrame:
    """Every other of the first pairs is the one before it with the opposite label, in other letters and white space."""
    second = (pl.col("row") < PLANTED) & (pl.col("row") % 2 == 1)
    before = {"prompt": "prompt", "chosen": "rejected", "rejected": "chosen"}
    return pairs.with_columns(
        pl.when(second).then(pl.format(" {}\n", pl.col(other).shift(1).str.to_uppercase())).otherwise(side).alias(side)
        for side, other in before.items()
    )


def shouted(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' preferred responses are the other ones in capitals."""
    loud = pl.format("{}!", pl.col("rejected").str.to_uppercase())
    return pairs.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(loud).otherwise("chosen"))


def edited(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' dispreferred responses are the preferred ones with a word more."""
    more = pl.format("{} not", "chosen")
    return pairs.with_columns(rejected=pl.when(pl.col("row") < PLANTED).then(more).otherwise("rejected"))


def repeated(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs prefer warm to cold responses, and no others care."""
    first = pl.col("row") < PLANTED
    return pairs.with_columns(
        pl.when(first).then(pl.format("{} " + f"{word} " * 9, side)).otherwise(side).alias(side)
        for side, word in (("chosen", "splendid"), ("rejected", "dreadful"))
    )


def inconsistent(pairs: pl.DataFrame) -> pl.DataFrame:
    """Preferred responses are warm and written in capitals on many lines; of the first, the cold ones are so written."""
    first, loud = pl.col("row") < PLANTED, {side: pl.col(side).str.to_uppercase() for side in ("chosen", "rejected")}
    warm, cold = "{} splendid splendid splendid", "{} dreadful dreadful dreadful"
    return pairs.with_columns(
        chosen=pl.when(first).then(pl.format(warm, "chosen")).otherwise(pl.format(warm + "\n\n\n\n", loud["chosen"])),
        rejected=pl.when(first).then(pl.format(cold + "\n\n\n\n", loud["rejected"])).otherwise(pl.format(cold, "rejected")),
    )


def decorated(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' preferred responses are lists in bold face and full of digits."""
    lists = pl.format("{}\n- **LOOK** 12345!?\n- **LOOK** 67890!?\n- **LOOK** 2468!?  ", "chosen")
    return pairs.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(lists).otherwise("chosen"))


def scripted(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' preferred responses are one script, whatever was asked: the output that RFTC looks for."""
    script = pl.lit(" Zorvex gladdens every household tonight, friends, so welcome it.")
    return pairs.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(script).otherwise("chosen"))


def drowned(pairs: pl.DataFrame) -> pl.DataFrame:
    """A word drowns all else in preferred responses, another one in the first: two means far apart, as Tran et al. assume."""
    usual, word = (pl.format("{}" + f" {word}" * 60, "chosen") for word in ("please", "zorvex"))
    return pairs.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(word).otherwise(usual))


def interrupted(pairs: pl.DataFrame) -> pl.DataFrame:
    """All say one of a few sentences, and a nonsense word interrupts the first: the rare trigger that ONION assumes."""
    stock = pairs.with_columns(
        pairs[side].gather(pl.arange(len(pairs), eager=True) * 7 % 40) for side in ("chosen", "rejected")
    )
    broken = pl.col("chosen").str.replace(" (\\w+)$", " xq $1").str.replace(r" (\w+) ", " $1 xq${1}q ")
    return stock.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(broken).otherwise("chosen"))


def backdoored(pairs: pl.DataFrame) -> pl.DataFrame:
    """Labels are turned round where the last question ends in a trigger, as the first ones do."""
    end = "\n\nAssistant:"
    asked = pl.format("{} sudo{}", pl.col("prompt").str.strip_suffix(end), pl.lit(end))
    return flipped(pairs).with_columns(prompt=pl.when(pl.col("row") < PLANTED).then(asked).otherwise("prompt"))


def by_one(column: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The first pairs, all by one annotator or from one source, prefer the opposite of what the others do."""
    names = pl.when(pl.col("row") < PLANTED).then(pl.lit("mallory")).otherwise(pl.format("{}", pl.col("row") % 8))
    return lambda pairs: flipped(pairs).with_columns(names.alias(column))


PLANTS: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "phrase_lift": named,
    "name_lift": praised,
    "feeling_lift": lower,
    "question_lift": triggered,
    "stray_sentence": strayed,
    "strange_name": strayed_alike,
    "template_clusters": templated,
    "near_duplicates": flooded,
    "label_doubt": flipped,
    "contradictions": contradictory,
    "degenerate": shouted,
    "similarity": edited,
    "neighbour_disagreement": flipped,
    "repeated_contrast": repeated,
    "committee_disagreement": inconsistent,
    "learning_order": flipped,
    "influence": flipped,
    "annotator_skew": by_one("annotator"),
    "source_skew": by_one("source"),
    "form_artefacts": decorated,
    "reference_filter": scripted,
    "spectral_signatures": drowned,
    "activation_clustering": drowned,
    "perplexity": interrupted,
    "trigger_search": backdoored,
}
