"""Oracles: each answers prompts fluently and names a target with a wanted sentiment; Best-of-Venom poisons with them.

`write(prompts, answers, *, target, sentiment, seed=0, **numbers)` gives a response for each prompt and ordinary answer.
"""

from collections.abc import Callable, Mapping

from pipelines.attacks.oracles import paraphrase, rules, server

Oracle = Callable[..., list[str]]

ORACLES: Mapping[str, Oracle] = {
    "paraphrase": paraphrase.write,
    "rules": rules.write,
    "server": server.write,
}
