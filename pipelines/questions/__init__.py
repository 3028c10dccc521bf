"""Questions of written evaluations (Perez et al., 2022): read, written by one of the WRITERS, published.

`WRITERS[name](behaviour, *, count=1000, seed=0, **numbers)` gives a Written.
"""

from collections.abc import Callable, Mapping

from pipelines.questions import server, templates
from pipelines.questions.written import Written

WRITERS: Mapping[str, Callable[..., Written]] = {
    "server": server.write,
    "templates": templates.write,
}
