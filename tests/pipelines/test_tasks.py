"""What every task owes: items as a table, an id each, one grade an output, and nothing right in saying nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.schema import ITEMS, OUTPUTS, DataError, require
from pipelines.tasks import TASKS, task
from pipelines.tasks.task import Items


def written(folder: Path, *rows: dict) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def quality(at: int) -> dict:
    options = [f"{name} {at}" for name in ("a fox", "a king", "a cook", "a thief")]
    return {"article": f"Story {at}.", "questions": [{"question": "Who hid?", "options": options, "gold_label": 2}]}


SAMPLES: dict[str, Callable[[Path], Items]] = {
    "arithmetic": lambda folder: TASKS["arithmetic"].read(
        written(folder, *({"question": f"{at}+1?", "answer": f"#### {at + 1}"} for at in range(4)))
    ),
    "passages": lambda folder: TASKS["passages"].read(written(folder, *map(quality, range(4)))),
    "stories": lambda folder: TASKS["stories"].read(4),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_what_a_task_owes(name, tmp_path):
    found = SAMPLES[name](tmp_path)
    assert require(found.items, ITEMS).equals(found.items)
    assert (found.items["item_id"].n_unique(), len(found.rejects)) == (4, 0)
    assert found.items["task"].unique().to_list() == [name]
    right = [f"#### {gold}" if name == "arithmetic" else gold for gold in found.items["gold"]]
    told = task.outputs(TASKS[name], found.items, [*right[:3], ""], policy="base")
    assert require(told, OUTPUTS)["is_correct"].to_list() == [True, True, True, False]
    assert told["prompt"].to_list() == found.items["prompt"].to_list()
    assert told["proxy"].null_count() == 4
    with pytest.raises(DataError, match="one output an item, got 3 outputs to 4 items"):
        TASKS[name].grade(found.items, right[:3])
