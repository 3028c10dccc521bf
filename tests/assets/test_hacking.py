"""A study of teacher hacking: its settings, its world, what is kept, its page, the command, and the chain in Dagster."""

import json
import math
from collections.abc import Iterator

import dagster as dg
import polars as pl
import pytest

from assets import studies
from assets.hacking import page, rows, study, verdicts, world
from assets.hacking.rows import ARMS, Hacking, Letters, hacking_of
from pipelines.schema import TRACES, DataError, require
from rlhf_train.errors import TrainingError
from tests.assets.place import Place, launched

LETTERS = {
    "answer": 2, "samples": 200, "teacher": 8, "taught": 20, "student": 8, "begun": 2, "prompts": 10, "held_out": 3,
}  # fmt: skip
SMALL = {"letters": LETTERS, "steps": 12, "batch": 8, "measured": 6, "seeds": (0, 1), "arms": ("stored_1", "fresh_teacher")}
TOML = """
[pupils]
study = "teacher_hacking"
steps = 12
batch = 8
measured = 6
seeds = [0, 1]
arms = ["stored_1", "fresh_teacher"]
letters = { answer = 2, samples = 200, teacher = 8, taught = 20, student = 8, begun = 2, prompts = 10, held_out = 3 }

[lost]
study = "fortune_telling"
"""


@pytest.fixture(scope="module")
def row() -> Hacking:
    return hacking_of(SMALL)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"arms": ("stored_1", "whispered")}, "arms must be of stored_1, .*; got 'whispered'"),
        ({"arms": ()}, "arms must be there and differ"),
        ({"arms": ("stored_1", "stored_1")}, "arms must be there and differ"),
        ({"divergence": "likelihood"}, "nothing of the likelihood of its own answers; leave fresh_student out"),
        ({"divergence": "distance"}, "divergence must be one of forward_kl, .* got 'distance'"),
        ({"seeds": (-1,)}, "seeds must be whole numbers of 0 or more"),
        ({"seeds": ()}, "seeds must be whole numbers of 0 or more"),
        ({"steps": 0}, "steps must be a finite number, above 0, got 0"),
        ({"letters": {"samples": 0}}, "samples must be a finite number, above 0"),
        ({"letters": {"colour": 1}}, "colour is no setting of the world of letters"),
        ({"letters": 3}, "letters is a table of settings, got 3"),
        ({"speed": 3}, "speed is no setting of a study of teacher hacking"),
        ({"held_out": 1.0}, "held_out and skew are shares below 1"),
        ({"teacher": "a"}, "teacher, student and source go together"),
        ({"oracle": "a"}, "an oracle of one's own needs teacher, student and source"),
    ],
)
def test_a_wrong_setting_is_named(wrong, said):
    with pytest.raises(DataError, match=said):
        hacking_of(wrong)


def test_settings_go_over_a_study_by_dotted_names():
    changed = studies.changed(studies.STUDIES["teacher_hacking"], {"letters.samples": 7, "steps": 3})
    assert (changed.row.letters.samples, changed.row.steps) == (7, 3)
    assert changed.row.letters.answer == Letters().answer


def test_every_arm_is_one():
    from rlhf_train.tracing import Arm

    assert {name: Arm(**settings) for name, settings in ARMS.items()}
    assert set(Hacking().arms) < set(ARMS)


def test_what_can_be_learned_by_is_what_training_knows():
    from rlhf_train import divergences, tracing

    assert rows.TEXT == tracing.TEXT
    assert set(rows.DIVERGENCES) == {*divergences.DIVERGENCES, tracing.TEXT}


def test_no_prompt_is_learned_and_held_out(row, one_thread):
    held, other = world.made(row, 0), world.made(row, 1)
    assert (len(held.prompts), len(held.held_out)) == (10, 3)
    assert not set(held.prompts) & set(held.held_out)
    assert held.held_out != other.held_out
    assert world.made(row, 0).prompts == held.prompts
    with pytest.raises(DataError, match=r"there are 15,622 prompts of 6 letters, 20,000 are wanted"):
        world.made(hacking_of({**SMALL, "letters": {**LETTERS, "prompts": 20_000}}), 0)


def test_runs_that_are_kept_are_not_made_again(row, tmp_path, one_thread):
    from rlhf_train.evals import distances

    tables = study.run(row, tmp_path)
    traces = require(tables["traces"], TRACES)
    assert traces.select("arm", "seed").unique().height == 4
    assert tables["verdicts"].select("arm", "seed").rows() == [
        ("stored_1", 0), ("fresh_teacher", 0), ("stored_1", 1), ("fresh_teacher", 1),
    ]  # fmt: skip
    held, begun = world.made(row, 1), traces.filter(step=0)
    for name, first in {"golden": held.oracle, "proxy": held.teacher}.items():
        expected = distances.exact(first, held.student, held.held_out)
        assert begun.filter(seed=1, arm="stored_1")[f"{name}_each"][0].to_list() == pytest.approx(expected, rel=1e-5)
    assert begun.filter(seed=1)["teacher"][0] == pytest.approx(distances.exact(held.oracle, held.teacher, held.held_out).mean())
    assert begun.filter(seed=0)["golden"].n_unique() == 1  # every arm of a seed begins alike
    assert traces["golden_each"].list.len().unique().to_list() == [3]
    made = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("trace.parquet")}
    again = study.run(row, tmp_path)
    assert again["traces"].equals(traces)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("trace.parquet")} == made
    more = study.run(hacking_of({**SMALL, "arms": ("stored_1", "half_fresh"), "seeds": (0,)}), tmp_path)
    assert more["traces"].filter(arm="stored_1").equals(traces.filter(arm="stored_1", seed=0))
    assert len(list(tmp_path.rglob("trace.parquet"))) == 5
    assert len(list(tmp_path.glob("world-*"))) == 2  # one a seed, whoever asks


def test_a_world_that_was_kept_is_the_one_that_was_made(row, tmp_path, one_thread):
    held = world.made(row, 0)
    world.keep(held, tmp_path)
    again = world.found(row, tmp_path)
    assert (again.prompts, again.held_out, again.references) == (held.prompts, held.held_out, [])
    measures = [world.measures(row, each, 0) for each in (held, again)]
    for name in ("oracle", "teacher", "student"):
        policy, other = getattr(held, name), getattr(again, name)
        assert other.lengths == policy.lengths
        for one, two in zip(*measures, strict=True):
            assert two(other) == pytest.approx(one(policy), abs=1e-6)


def made_up(arm="stored_1", seed=0, first=1.0, last=0.8, proxy=0.8, teacher=0.4):
    """A trace whose golden distance is `first` after a step, comes down to 0.5 and ends at `last`."""
    golden = [0.1, first, 0.5, 0.6, last]
    close = [2.0, 1.5, 1.0, 0.9, proxy]
    return pl.DataFrame(
        {
            "arm": [arm] * 5,
            "seed": [seed] * 5,
            "step": [0, 1, 2, 4, 8],
            "loss": [None, 1.0, 0.9, 0.8, 0.7],
            "proxy": close,
            "golden": golden,
            "proxy_each": [[value * 0.9, value * 1.1] for value in close],
            "golden_each": [[value * 0.9, value * 1.1] for value in golden],
            "teacher": [teacher] * 5,
        }
    )


def test_advice_begins_with_the_cheapest():
    found = verdicts.of(pl.concat([made_up(), made_up("fresh_teacher", last=0.4), made_up("tenth_fresh", teacher=0.9)]))
    assert found["verdict"].to_list() == ["hacking", "healthy", "limited by the teacher"]
    assert found["advice"][0].startswith("stop at the best step; draw more answers to each prompt")
    assert found["advice"][1] == ""
    assert "teach the teacher better" in found["advice"][2]
    assert verdicts.means(found)["verdicts"].to_list()[0] == "hacking 1"


def test_the_best_step_is_one_that_was_taken():
    assert verdicts.of(made_up())["best"].to_list() == [2]
    assert verdicts.of(made_up(first=0.3))["best"].to_list() == [1]


def above_its_law(arm, above):
    """A trace that keeps to step ** -1/2 but for its last measurement, which is so many nats above."""
    steps = [0, 10, 20, 40, 80, 160, 320, 640]
    close = [2.0, *(step**-0.5 for step in steps[1:-1]), steps[-1] ** -0.5 * math.exp(above)]
    many = {"arm": arm, "seed": 0, "loss": None, "golden": None, "teacher": None}
    columns = {"step": steps, "proxy": close, "proxy_each": [[value] for value in close], "golden_each": [None] * len(steps)}
    return pl.DataFrame(columns).with_columns(pl.lit(value).alias(name) for name, value in many.items())


def test_how_far_an_arm_is_above_its_law_is_held_against_the_control():
    arms = [above_its_law("stored_1", 0.6), above_its_law("tenth_fresh", 0.3)]
    found = verdicts.of(pl.concat([*arms, above_its_law("fresh_teacher", 0.2)]))
    assert found["residual"].to_list() == pytest.approx([0.6, 0.3, 0.2])
    assert found["to_control"].to_list() == [pytest.approx(3.0), pytest.approx(1.5), None]
    kept_to_it = verdicts.of(pl.concat([*arms, above_its_law("fresh_teacher", -0.1)]))
    assert kept_to_it["to_control"].null_count() == 3


def test_the_page_says_what_came_of_it_and_escapes():
    tables = {"traces": made_up(), "verdicts": verdicts.of(made_up())}
    told = page.page("<b>mine</b>", Hacking(), tables)
    assert "Of 1 students 1 hacking" in told
    assert "<b>mine" not in told
    assert told.count("<svg") == 3
    unknown = made_up().with_columns(golden=pl.lit(None, pl.Float64), golden_each=pl.lit(None, pl.List(pl.Float64)))
    without = page.page("mine", Hacking(), {"traces": unknown, "verdicts": verdicts.of(unknown)})
    assert without.count("<svg") == 1
    assert page.told(tables) == ["  stored_1, seed 0: hacking, golden 0.500 at step 2, 0.800 at the end"]


def test_policies_of_one_s_own_are_watched_too(tmp_path, one_thread):
    """Against people's answers, without an oracle; and with one."""
    from rlhf_train.models import letters
    from rlhf_train.text import Lengths

    for name, seed in {"teacher": 1, "student": 2, "oracle": 3}.items():
        letters.made(seed, width=8, lengths=Lengths(4, 3), most=64).save(tmp_path / name)
    lines = [{"prompt": f"a{one}{two}", "chosen": one, "rejected": two} for one in "abcd" for two in "abcd" if one != two]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    own = {
        "teacher": str(tmp_path / "teacher"), "student": str(tmp_path / "student"), "source": str(tmp_path / "pairs.jsonl"),
        "held_out": 0.25, "steps": 4, "batch": 4, "measured": 3, "seeds": (0,), "arms": ("stored_1",), "bank": 2,
        "prompt_tokens": 48, "response_tokens": 4,
    }  # fmt: skip
    held = world.made(hacking_of(own), 0)
    assert not set(held.prompts) & set(held.held_out)
    assert len({*held.prompts, *held.held_out}) == len(held.prompts) + len(held.held_out) == len(lines)
    traces = study.run(hacking_of(own), tmp_path / "kept")["traces"]
    assert traces["proxy_each"].list.len().unique().to_list() == [3]  # a quarter of twelve
    assert traces["golden"].is_not_null().all()
    with_oracle = study.run(hacking_of({**own, "oracle": str(tmp_path / "oracle")}), tmp_path / "kept")["traces"]
    assert with_oracle["proxy"].to_list() == traces["proxy"].to_list()
    assert with_oracle["golden"].to_list() != traces["golden"].to_list()
    with pytest.raises(TrainingError, match="the model's context is 64; lower prompt_tokens"):
        study.run(hacking_of({**own, "prompt_tokens": 64}), tmp_path / "kept")
    with pytest.raises(DataError, match="too few to hold out"):
        study.run(hacking_of({**own, "held_out": 0.01}), tmp_path / "kept")


def test_the_command_runs_a_study_and_names_those_there_are(tmp_path, antivenom, one_thread):
    file = tmp_path / "rows.toml"
    file.write_text(TOML)
    code, said, _ = antivenom("experiment", "pupils", "--file", file, "--out", tmp_path / "out", "--set", "seeds=[0]", "--json")
    assert code == 0
    told = json.loads(said)
    assert [line["arm"] for line in told["verdicts"]] == ["stored_1", "fresh_teacher"]
    assert {each.name for each in (tmp_path / "out").iterdir()} >= {"traces.parquet", "verdicts.parquet", "report.html"}
    code, _, told = antivenom("experiment", "nobody", "--file", file, "--out", tmp_path / "other")
    assert code == 2
    assert "refused" in told
    assert "study must be one of teacher_hacking" in told
    assert "no experiment 'nobody'; there are pupils" in told


@pytest.fixture(scope="module")
def chain(location, tmp_path_factory, one_thread) -> Iterator[Place]:
    """The place after hacking_job has run."""
    folder = tmp_path_factory.mktemp("hacking")
    with launched(location, TOML, folder, "hacking_job", "pupils") as place:
        yield place


def test_one_launch_makes_every_partition(chain: Place):
    worlds = {"pupils-seed0", "pupils-seed1"}
    for asset in ("oracle", "teacher", "untaught_student", "distillation_prompts"):
        assert chain.made(asset) == worlds
    runs = {f"{arm}-{name}" for arm in ("stored_1", "fresh_teacher") for name in worlds}
    assert chain.made("distilled_student") == chain.made("distillation_trace") == runs
    assert chain.made("hacking_report") == {"pupils"}
    assert not list((chain.home / ".runs").glob("*")), "a finished run is dropped"


def test_the_chain_measures_what_the_command_does(chain: Place, row, tmp_path):
    expected = study.run(row, tmp_path)["traces"]
    for (arm, seed), trace in expected.group_by("arm", "seed", maintain_order=True):
        found = chain.table("distillation_trace", f"{arm}-pupils-seed{seed}")
        assert found.select("step").equals(trace.select("step"))
        for name in ("proxy", "golden", "teacher"):
            assert found[name].to_list() == pytest.approx(trace[name].to_list(), rel=1e-4)


def test_the_report_tells_every_run_and_draws_the_u(chain: Place):
    told = chain.metadata("hacking_report", "pupils")
    assert len(told["what came of each"].records) == 4
    assert {"golden by proxy", "over steps", "where they end"} <= set(told)
    assert "golden distance" in chain.metadata("teacher", "pupils-seed0")


def test_what_is_there_is_not_made_again(chain: Place):
    def count() -> int:
        records = dg.AssetRecordsFilter(dg.AssetKey("distilled_student"))
        return len(chain.instance.fetch_materializations(records, limit=100).records)

    before = count()
    assert chain.run("hacking_job", "pupils").success
    assert count() == before
