"""The code location: its graph as a table, what every asset tells, and what becomes of a wrong row."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from graphlib import TopologicalSorter
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest

ROOT = Path(__file__).parents[2]

#: asset -> (group, partitions, what it is made from)
GRAPH = {
    "experiments": ("experiments", None, ""),
    "product_reviews": ("opinions", "by_opinions", "experiments"),
    "known_summaries": ("opinions", "by_opinions", "experiments"),
    "published_features": ("opinions", "by_opinions", "experiments"),
    "human_pairs": ("opinions", "by_opinions", "experiments"),
    "prompt_opin_summ": ("opinions", "by_group", "known_summaries product_reviews"),
    "stored_summaries": ("opinions", "by_opinions", "known_summaries prompt_opin_summ"),
    "summary_features": ("opinions", "by_opinions", "published_features stored_summaries"),
    "second_marks": ("opinions", "by_opinions", "stored_summaries summary_features"),
    "opinion_pairs": ("opinions", "by_opinions", "human_pairs stored_summaries summary_features"),
    "preference_pairs": ("sources", "by_base", "experiments opinion_pairs"),
    "trusted_pairs": ("sources", "by_base", "experiments opinion_pairs"),
    "held_out_pairs": ("sources", "by_base", "experiments opinion_pairs"),
    "poisoned_pairs": ("attack", "by_corpus", "preference_pairs"),
    "poison_key": ("attack", "by_corpus", "preference_pairs"),
    "suspicion_scores": ("audit", "by_corpus", "poisoned_pairs trusted_pairs"),
    "findings": ("audit", "by_corpus", "suspicion_scores"),
    "sources_watched": ("audit", None, ""),
    "audit_report": ("audit", "by_corpus", "findings poisoned_pairs suspicion_scores"),
    "training_pairs": ("audit", "by_corpus", "poisoned_pairs suspicion_scores"),
    "quarantined_pairs": ("audit", "by_corpus", "poisoned_pairs suspicion_scores"),
    "base_policy": ("training", "by_base", "preference_pairs"),
    "reward_model": ("training", "by_corpus", "training_pairs"),
    "policy": ("training", "by_corpus", "base_policy reward_model training_pairs"),
    "dpo_policy": ("training", "by_corpus", "base_policy training_pairs"),
    "attack_success": ("evaluation", "by_corpus", "held_out_pairs policy"),
    "reward_accuracy": ("evaluation", "by_corpus", "held_out_pairs reward_model"),
    "detection": ("evaluation", "by_corpus", "poison_key suspicion_scores"),
    "roc_curves": ("evaluation", "by_corpus", "poison_key suspicion_scores"),
    "flags": ("evaluation", "by_corpus", "poison_key suspicion_scores"),
    "pair_features": ("domain_knowledge", "by_judged", "poisoned_pairs published_features summary_features"),
    "feature_reward": ("domain_knowledge", "by_judged", "pair_features training_pairs"),
    "feature_weights": ("domain_knowledge", "by_judged", "pair_features training_pairs"),
    "one_decision": ("domain_knowledge", "by_judged", "pair_features training_pairs"),
    "learning_curves": ("domain_knowledge", "by_judged", "pair_features training_pairs"),
    "reward_comparison": (
        "domain_knowledge",
        "by_judged",
        "feature_reward held_out_pairs published_features reward_model summary_features training_pairs",
    ),
    "domain_report": (
        "reports",
        "by_study",
        "feature_weights learning_curves one_decision opinion_pairs product_reviews reward_comparison stored_summaries "
        "summary_features",
    ),
    "supervised_policy": ("domain_knowledge", "by_opinions", "preference_pairs stored_summaries"),
    "summary_policy": (
        "domain_knowledge",
        "by_judged",
        "feature_reward preference_pairs published_features stored_summaries summary_features supervised_policy",
    ),
    "policy_gains": (
        "domain_knowledge",
        "by_judged",
        "feature_reward held_out_pairs preference_pairs published_features stored_summaries summary_features "
        "summary_policy supervised_policy",
    ),
    "imitating_policy": ("methods", "by_compared", "base_policy training_pairs"),
    "labelled_pairs": ("methods", "by_compared", "imitating_policy reward_model training_pairs"),
    "drafted_answers": ("methods", "by_compared", "held_out_pairs imitating_policy"),
    "method_model": ("methods", "by_run", "base_policy imitating_policy labelled_pairs reward_model"),
    "method_answers": ("methods", "by_run", "base_policy drafted_answers held_out_pairs imitating_policy method_model"),
    "methods_report": ("reports", "by_comparison", "method_answers"),
    "oracle": ("distillation", "HACKING.by_world", ""),
    "teacher": ("distillation", "HACKING.by_world", ""),
    "untaught_student": ("distillation", "HACKING.by_world", ""),
    "distillation_prompts": ("distillation", "HACKING.by_world", ""),
    "distilled_student": ("distillation", "HACKING.by_run", "distillation_prompts oracle teacher untaught_student"),
    "distillation_trace": ("distillation", "HACKING.by_run", "distilled_student"),
    "hacking_report": ("reports", "HACKING.by_study", "distillation_trace"),
    "behaviours": ("written_evals", "by_written", ""),
    "candidate_questions": ("written_evals", "by_written", "behaviours"),
    "unusable_replies": ("written_evals", "by_written", "behaviours"),
    "question_scores": ("written_evals", "by_written", "candidate_questions"),
    "written_questions": ("written_evals", "by_written", "candidate_questions question_scores"),
    "dropped_questions": ("written_evals", "by_written", "candidate_questions question_scores"),
    "question_map": ("written_evals", "by_written", "written_questions"),
    "question_sheet": ("written_evals", "by_written", "dropped_questions written_questions"),
    "untaught_policy": ("written_evals", "by_beginning", ""),
    "evaluated_policy": ("written_evals", "by_evaluated", "untaught_policy"),
    "question_answers": ("written_evals", "by_evaluated", "evaluated_policy written_questions"),
    "written_report": (
        "reports",
        "by_written",
        "dropped_questions question_answers question_map question_sheet unusable_replies written_questions",
    ),
    "task_items": ("sophistry", "SOPHISTRY.by_world", ""),
    "train_rewards": ("sophistry", "SOPHISTRY.by_world", ""),
    "policy_outputs": ("sophistry", "SOPHISTRY.by_run", "task_items train_rewards"),
    "oracle_verdicts": ("sophistry", "SOPHISTRY.by_run", "policy_outputs task_items"),
    "study_plan": ("sophistry", "SOPHISTRY.by_run", "oracle_verdicts"),
    "study_export": ("sophistry", "SOPHISTRY.by_run", "oracle_verdicts study_plan"),
    "verdicts": ("sophistry", "SOPHISTRY.by_run", "oracle_verdicts study_plan"),
    "rejected_answers": ("sophistry", "SOPHISTRY.by_run", "oracle_verdicts study_plan"),
    "sophistry_metrics": ("sophistry", "SOPHISTRY.by_run", "oracle_verdicts rejected_answers study_plan verdicts"),
    "sophistry_report": ("reports", "SOPHISTRY.by_study", "oracle_verdicts rejected_answers sophistry_metrics verdicts"),
    "arena_detection": ("arena", None, ""),
    "arena_retrained": ("arena", None, ""),
    "arena_report": ("arena", None, ""),
    "evidence": ("reports", None, ""),
    "evidence_report": ("reports", None, ""),
    "venom_report": (
        "reports",
        "by_experiment",
        "attack_success detection findings flags quarantined_pairs reward_accuracy roc_curves",
    ),
}

CHECKS = {
    ("preference_pairs", "pairs_are_well_formed", True),
    ("suspicion_scores", "scores_are_well_formed", True),
    ("suspicion_scores", "nothing_is_flagged", False),
    ("training_pairs", "training_pairs_are_well_formed", True),
    ("prompt_opin_summ", "summaries_are_well_formed", True),
    ("summary_features", "features_are_well_formed", True),
    ("summary_features", "the_scorer_tells_summaries_apart", False),
    ("second_marks", "no_mark_is_far_above_a_second_scorers", False),
    ("opinion_pairs", "opinion_pairs_are_well_formed", True),
    ("opinion_pairs", "length_is_no_shortcut", False),
    ("opinion_pairs", "annotators_judge_alike", False),
    ("pair_features", "pair_features_are_well_formed", True),
    ("written_questions", "labels_are_balanced", False),
    ("written_questions", "no_question_repeats", False),
    ("written_questions", "kept_labels_are_likelier_than_not", False),
    ("written_questions", "no_gold_example_leaks", False),
    ("question_sheet", "generator_is_not_the_discriminator", False),
    ("oracle_verdicts", "evidence_suffices", False),
    ("oracle_verdicts", "answers_are_balanced", False),
    ("oracle_verdicts", "prompts_are_not_cut", False),
    ("oracle_verdicts", "the_proxy_agrees_with_gold", False),
    ("oracle_verdicts", "the_grader_has_no_prefix_hole", False),
    ("verdicts", "no_judge_sees_an_item_twice", False),
}

JOBS = {
    "venom_job", "clean_job", "corpus_job", "report_job", "audit_job", "source_audit_job", "dpo_job",
    "arena_job",
    "domain_job", "reviews_job", "summaries_job", "pairs_job", "split_job", "delivery_job", "rewards_job", "start_job",
    "summarise_job", "study_job", "methods_job", "learned_job", "shared_job", "run_methods_job", "methods_report_job",
    "hacking_job", "distillation_world_job", "distilled_student_job", "hacking_report_job",
    "written_job", "questions_job", "beginning_job", "evaluated_job", "answers_job", "written_report_job",
    "sophistry_job", "task_items_job", "judged_outputs_job", "sophistry_report_job",
}  # fmt: skip

SENSORS = {"failure_alert", "audit_alert", "new_deliveries"}

WRONG = """
[good]
pairs = 100

[steep]
rate = 3

["../outside"]
pairs = 100

[good-seed1]
pairs = 100

[twice]
seeds = [0, 1]

[twice-seed1]
pairs = 100

[told]
seeds = [0, 1]
opinions = {}

[torn]
attack = "best_of_venon"
"""


@pytest.fixture(scope="module")
def definitions(location, tmp_path_factory) -> Iterator[ModuleType]:
    """The code location with a file of right and wrong rows."""
    with location(WRONG, tmp_path_factory.mktemp("definitions") / "home") as module:
        yield module


@pytest.fixture(scope="module")
def nodes(definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.defs.resolve_all_asset_specs()}


def test_the_graph_is_this_table(definitions, nodes):
    kinds = {
        "partitions": (
            *("by_base", "by_corpus", "by_experiment", "by_opinions", "by_group", "by_judged", "by_study"),
            *("by_compared", "by_run", "by_comparison"),
        ),
        "study_partitions": (
            *("HACKING.by_study", "HACKING.by_world", "HACKING.by_run"),
            *("by_written", "by_evaluated", "by_beginning"),
            *("SOPHISTRY.by_study", "SOPHISTRY.by_world", "SOPHISTRY.by_run"),
        ),
    }
    modules = {module: sys.modules[f"assets.{module}"] for module in kinds}
    names = {attrgetter(name)(modules[module]): name for module, held in kinds.items() for name in held} | {None: None}
    found = {
        name: (
            spec.group_name,
            names[spec.partitions_def],
            " ".join(sorted(dep.asset_key.to_user_string() for dep in spec.deps)),
        )
        for name, spec in nodes.items()
    }
    assert found == GRAPH


def test_groups_read_left_to_right_when_they_are_folded(nodes):
    """Where a group needed what another makes of it, the picture of groups could not be drawn in the order of the story."""
    behind: dict[str, set[str]] = {}
    for spec in nodes.values():
        needed = {nodes[dep.asset_key.to_user_string()].group_name for dep in spec.deps}
        behind.setdefault(spec.group_name, set()).update(needed - {spec.group_name})
    order = list(TopologicalSorter(behind).static_order())
    story = ["experiments", "opinions", "sources", "attack", "audit", "training", "evaluation", "reports"]
    assert [group for group in order if group in story] == story


def test_every_asset_says_what_it_is_whose_it_is_and_what_it_is_made_of(nodes):
    assert [name for name, spec in nodes.items() if len(spec.description or "") < 40] == []
    assert {tuple(spec.owners) for spec in nodes.values()} == {("team:antivenom",)}
    assert [name for name, spec in nodes.items() if not spec.kinds] == []


def test_tables_of_the_schema_tell_their_columns_with_meanings(nodes):
    for name in (
        "preference_pairs",
        "poisoned_pairs",
        "poison_key",
        "suspicion_scores",
        "training_pairs",
        "attack_success",
        "opinion_pairs",
        "summary_features",
        "labelled_pairs",
        "method_answers",
        "distillation_trace",
        "written_questions",
        "dropped_questions",
        "question_answers",
        "task_items",
        "oracle_verdicts",
        "verdicts",
        "sophistry_metrics",
    ):
        columns = nodes[name].metadata["dagster/column_schema"].columns
        assert len(columns) > 5
        assert all(column.description for column in columns)


def test_every_table_tells_what_its_columns_mean(nodes):
    tables = {name: spec.metadata for name, spec in nodes.items() if "parquet" in spec.kinds}
    assert len(tables) > 40
    assert [name for name, told in tables.items() if "dagster/column_schema" not in told] == []
    mute = {
        name for name, told in tables.items() if not all(each.description for each in told["dagster/column_schema"].columns)
    }
    assert mute == set()


def test_a_table_that_was_made_tells_types_and_the_meanings_that_are_known():
    import polars as pl

    from assets.metadata import columns_found, described

    table = pl.DataFrame({"seed": [1], "auroc": [0.5], "auroc_low": [0.4], "odd": ["?"]})
    found = columns_found(table, described(auroc="how well"))["dagster/column_schema"].columns
    assert [(each.name, each.type, each.description) for each in found] == [
        ("seed", "Int64", "of the experiment"),
        ("auroc", "Float64", "how well"),
        ("auroc_low", "Float64", "lower end of 95 % of auroc"),
        ("odd", "String", None),
    ]


def test_the_checks_are_these_and_speak_in_sentences(definitions):
    graph = definitions.defs.resolve_asset_graph()
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    assert {(spec.asset_key.to_user_string(), spec.name, spec.blocking) for spec in specs} == CHECKS
    assert all(spec.description and spec.partitions_def for spec in specs)


def test_every_job_resolves_and_training_keeps_to_the_gpu_pool(definitions):
    jobs = {job.name: definitions.defs.resolve_job_def(job.name) for job in definitions.defs.jobs}
    assert set(jobs) == JOBS
    pools = {
        node.name: node.definition.pool for node in jobs["corpus_job"].nodes + jobs["clean_job"].nodes + jobs["dpo_job"].nodes
    }
    assert {name for name, pool in pools.items() if pool == "gpu"} == {
        "base_policy", "reward_model", "imitation", "reward_accuracy", "dpo_policy",
    }  # fmt: skip


def test_schedules_and_sensors_are_these_and_rest_until_they_are_switched_on(definitions):
    repository = definitions.defs.get_repository_def()
    sensors = {each.name: each for each in repository.sensor_defs}
    assert set(sensors) == SENSORS
    assert {each.name for each in repository.schedule_defs} == {"nightly_audit"}
    assert {each.default_status.value for each in (*repository.sensor_defs, *repository.schedule_defs)} == {"STOPPED"}
    assert all(each.description for each in (*repository.sensor_defs, *repository.schedule_defs))
    assert {job.name for job in sensors["new_deliveries"].jobs} == {"venom_job", "domain_job"}


def test_every_partition_reaches_its_base_and_its_report(definitions):
    partitions = sys.modules["assets.partitions"]
    for corpus in partitions.by_corpus.get_partition_keys():
        base = partitions.from_base.get_upstream_mapped_partitions_result_for_partitions(
            partitions.by_corpus.subset_with_partition_keys([corpus]), partitions.by_corpus, partitions.by_base
        )
        assert list(base.partitions_subset.get_partition_keys()) == [partitions.CORPORA[corpus].base]
    for row in partitions.by_experiment.get_partition_keys():
        found = partitions.from_corpora.get_upstream_mapped_partitions_result_for_partitions(
            partitions.by_experiment.subset_with_partition_keys([row]), partitions.by_experiment, partitions.by_corpus
        )
        arms = {partitions.CORPORA[name].arm for name in found.partitions_subset.get_partition_keys()}
        assert arms == {"clean", "poisoned", "filtered"}


def test_wrong_rows_are_named_with_field_and_mend_and_the_rest_are_loaded(definitions, nodes):
    partitions = sys.modules["assets.partitions"]
    assert {"good", "good-seed1", "twice"} <= set(partitions.EXPERIMENTS)
    shown = nodes["experiments"].metadata["refused"].value
    assert "[steep]: rate is a share and must lie in [0, 1], got 3" in shown
    assert "[torn]: attack must be none or one of " in shown
    assert "got 'best_of_venon'" in shown
    assert "../outside" in shown
    assert "[twice-seed1]: another row already makes 'twice-seed1'; rename one of them" in shown
    assert len(partitions.REFUSED) == 4
    assert "4 rows" in nodes["experiments"].description


def test_a_file_that_is_no_toml_is_named_and_our_own_rows_are_loaded(location, tmp_path):
    with location("[unfinished", tmp_path / "home"):
        partitions = sys.modules["assets.partitions"]
        assert "venom_poison_vs_rejected_3pct" in partitions.EXPERIMENTS
        assert "no readable experiments file" in partitions.REFUSED[0]


def test_loading_imports_nothing_heavy():
    heavy = "torch transformers sentence_transformers great_expectations sklearn pandas altair accelerate"
    code = f"import sys, assets.definitions; print(*sorted(set({heavy.split()!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_the_nightly_audit_asks_for_every_experiment_that_is_built(definitions):
    repository = definitions.defs.get_repository_def()
    schedule = repository.get_schedule_def("nightly_audit")
    with dg.instance_for_test() as instance:
        with dg.build_schedule_context(instance=instance, repository_def=repository) as context:
            skipped = schedule.evaluate_tick(context).skip_message
            assert skipped == "no experiment has a source of its own, and no corpus has been built; launch venom_job first"
        assert told(instance, "sources_watched") == {"sources": 0, "audited anew": "none: nothing changed"}
        for name in ("good-clean", "good-filtered"):
            instance.report_runless_asset_event(dg.AssetMaterialization("poisoned_pairs", partition=name))
        with dg.build_schedule_context(instance=instance, repository_def=repository) as context:
            asked = schedule.evaluate_tick(context).run_requests
        assert [request.partition_key for request in asked] == ["good"]
        assert told(instance, "sources_watched") == {"sources": 1, "audited anew": "good"}


def told(instance: dg.DagsterInstance, asset: str) -> dict[str, object]:
    made = instance.get_latest_materialization_event(dg.AssetKey(asset)).asset_materialization
    return {name: value.value for name, value in made.metadata.items()}


def state(definitions: ModuleType, instance: dg.DagsterInstance, asset: str) -> str:
    """What Dagster's daemon says of an asset's freshness after it has looked at it once more."""
    from dagster._core.loader import LoadingContextForTest
    from dagster._daemon.freshness import FreshnessDaemon

    node = definitions.defs.resolve_asset_graph().get(dg.AssetKey(asset))
    asyncio.run(FreshnessDaemon()._evaluate_asset(LoadingContextForTest(instance), node))
    (record,) = instance.get_freshness_state_records([dg.AssetKey(asset)]).values()
    return record.freshness_state.value


def test_a_look_at_the_sources_is_fresh_until_the_next_one_is_overdue(definitions):
    from dagster._core.test_utils import freeze_time

    schedule = definitions.defs.get_repository_def().get_schedule_def("nightly_audit")
    assert schedule.cron_schedule == "0 2 * * *"
    night = datetime(2026, 3, 5, 2, 0, 10, tzinfo=UTC)
    with dg.instance_for_test() as instance:
        with freeze_time(night):
            assert state(definitions, instance, "sources_watched") == "UNKNOWN"
            with dg.build_schedule_context(instance=instance, repository_def=definitions.defs.get_repository_def()) as context:
                schedule.evaluate_tick(context)
        for later, wanted in (
            (timedelta(minutes=1), "PASS"),
            (timedelta(hours=1), "PASS"),
            (timedelta(hours=24, minutes=59), "PASS"),  # the next look has until three
            (timedelta(hours=25), "FAIL"),
            (timedelta(days=3), "FAIL"),
        ):
            with freeze_time(night + later):
                assert state(definitions, instance, "sources_watched") == wanted, later
