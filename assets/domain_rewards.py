"""Domain knowledge, second half: the reward that reads features, what it knows, and whether it holds where text does not."""

from typing import Any

import dagster as dg
import polars as pl

from assets.domain import judging, learning, page, pictures, steps
from assets.domain.planting import planted
from assets.domain_knowledge import marks, refused
from assets.metadata import OWNERS, columns_of, described, picture, rows_of
from assets.partitions import (
    EXPERIMENTS,
    JUDGED,
    bases_of_study,
    by_judged,
    by_study,
    corpora_of_study,
    from_opinions,
    same_corpus,
)
from pipelines.schema import FEATURES

GROUP = "domain_knowledge"
KINDS = {"polars", "parquet"}


def _table(description: str, **meanings: str) -> dg.AssetOut:
    return dg.AssetOut(group_name=GROUP, owners=OWNERS, kinds=KINDS, description=description, metadata=described(**meanings))


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=KINDS,
    partitions_def=by_judged,
    ins={
        "poisoned_pairs": dg.AssetIn(partition_mapping=same_corpus),
        "summary_features": dg.AssetIn(partition_mapping=from_opinions),
        "published_features": dg.AssetIn(partition_mapping=from_opinions),
    },
    metadata=columns_of(FEATURES),
)
def pair_features(
    context: dg.AssetExecutionContext,
    poisoned_pairs: pl.DataFrame,
    summary_features: pl.DataFrame,
    published_features: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """The seven features of every summary in the corpus as delivered: what an attacker wrote is marked like the rest."""
    corpus = JUDGED[context.partition_key]
    row, texts = steps.opinions(corpus.experiment), steps.texts_of(poisoned_pairs)
    found = steps.marked(texts, row, marks(corpus.base), known=summary_features, published=published_features)
    return dg.Output(found.features, metadata=refused("summaries without marks", found.rejects))


@dg.multi_asset(
    ins={"training_pairs": dg.AssetIn(partition_mapping=same_corpus)},
    outs={
        "feature_reward": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds={"safetensors"},
            description="Phi: a reward of the seven features and of no text, learned from the corpus' pairs.",
        ),
        "feature_weights": _table(
            "What full marks in each feature are worth to phi, with 95 % intervals over pairs.",
            feature="one of the seven",
            value="what full marks in it add to the reward of none",
        ),
        "one_decision": _table(
            "A pair that phi is clear about: both summaries, their marks, and what each feature adds.",
            feature="one of the seven",
            chosen="mark of the preferred summary, 0 to 5",
            rejected="mark of the other",
            adds="what the feature adds to the gap of both rewards",
            **{f"{name}_text": "the same in every row, verbatim" for name in ("prompt", "chosen", "rejected")},
        ),
    },
    partitions_def=by_judged,
)
def phi(
    context: dg.AssetExecutionContext, training_pairs: pl.DataFrame, pair_features: pl.DataFrame
) -> tuple[dg.Output, dg.Output, dg.Output]:
    """Fits the feature reward; one that says the same of both sides of most pairs is refused."""
    corpus = JUDGED[context.partition_key]
    row = steps.opinions(corpus.experiment)
    found = learning.sides(training_pairs, pair_features)
    fitted = learning.fit(found, row, pair_features["scorer"][0])
    weights, decision = learning.weights(fitted, found, row, seed=corpus.seed), learning.decision(fitted, found)
    told: dict[str, Any] = {"pairs learned": len(found.pairs), "pairs without marks": len(training_pairs) - len(found.pairs)}
    return (
        dg.Output(fitted, metadata=told),
        dg.Output(weights, metadata={"picture of weights": picture(pictures.weights(weights), "what full marks are worth")}),
        dg.Output(decision, metadata={"picture": picture(pictures.decision(decision), "what each feature adds")}),
    )


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=KINDS,
    partitions_def=by_judged,
    ins={"training_pairs": dg.AssetIn(partition_mapping=same_corpus)},
    metadata=described(
        judge="what learned: a reward of features or of text",
        pairs="how many it learned",
        accuracy="share of pairs of other products that it tells right",
    ),
)
def learning_curves(
    context: dg.AssetExecutionContext, training_pairs: pl.DataFrame, pair_features: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """How right feature and text rewards are on pairs of other products, by the number of pairs that they learn."""
    corpus = JUDGED[context.partition_key]
    table = learning.curves(learning.sides(training_pairs, pair_features), seed=corpus.seed)
    return dg.Output(table, metadata={"picture of curves": picture(pictures.curves(table), "accuracy by number of pairs")})


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=KINDS,
    partitions_def=by_judged,
    ins={
        "reward_model": dg.AssetIn(partition_mapping=same_corpus),
        "training_pairs": dg.AssetIn(partition_mapping=same_corpus),
        "held_out_pairs": dg.AssetIn(partition_mapping=from_opinions),
        "summary_features": dg.AssetIn(partition_mapping=from_opinions),
        "published_features": dg.AssetIn(partition_mapping=from_opinions),
    },
    metadata=described(
        what="what is to be preferred: people's choice, or what the attacker planted",
        judge="reward of features, of text, or of both",
        share="how often it prefers that",
    ),
    pool="gpu",
)
def reward_comparison(
    context: dg.AssetExecutionContext,
    feature_reward: Any,
    reward_model: Any,
    training_pairs: pl.DataFrame,
    held_out_pairs: pl.DataFrame,
    summary_features: pl.DataFrame,
    published_features: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """How often rewards of features, of text and of both prefer what people do, and what the attacker planted."""
    corpus = JUDGED[context.partition_key]
    row = steps.opinions(corpus.experiment)

    def marked(pairs: pl.DataFrame) -> learning.Sides:
        texts, known = steps.texts_of(pairs), {"known": summary_features, "published": published_features}
        return learning.sides(pairs, steps.marked(texts, row, marks(corpus.base), **known).features)

    found = judging.compared(
        corpus, feature_reward, reward_model, training_pairs, marked, held_out_pairs, planted(held_out_pairs, corpus)
    )
    return dg.Output(found, metadata={"shares": rows_of(found)})


OF_BASES = ("product_reviews", "stored_summaries", "opinion_pairs", "summary_features")


@dg.asset(
    group_name="reports",
    owners=OWNERS,
    kinds={"html"},
    partitions_def=by_study,
    ins={
        **{name: dg.AssetIn(partition_mapping=bases_of_study) for name in OF_BASES},
        **{name: dg.AssetIn(partition_mapping=corpora_of_study) for name in page.OF_CORPORA},
    },
)
def domain_report(context: dg.AssetExecutionContext, **tables: Any) -> dg.Output[str]:
    """One self-contained page: what was learned of how many pairs, what features are worth, and who holds out."""
    found = page.results(EXPERIMENTS[context.partition_key], tables)
    told: dict[str, Any] = {
        "picture of judges": picture(pictures.judges(found.compared), "who is right, by corpus"),
        "picture of weights": picture(pictures.weights(found.weights), "what full marks are worth"),
        "picture of curves": picture(pictures.curves(found.curves), "accuracy by number of pairs"),
        "shares": rows_of(found.compared),
    }
    return dg.Output(page.page(found), metadata=told)
