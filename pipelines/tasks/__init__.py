"""Tasks whose answers can be checked: each reads items with their right answers and says which outputs are right."""

from collections.abc import Mapping

from pipelines.tasks import arithmetic, passages, programs, stories
from pipelines.tasks.task import Task

TASKS: Mapping[str, Task] = {
    "arithmetic": Task(arithmetic.read, arithmetic.grade),
    "passages": Task(passages.read, passages.grade),
    "programs": Task(programs.read, programs.grade),
    "stories": Task(stories.read, passages.grade),
}
