"""Asks a server for marks, some rows at once: a reply without a mark is asked for again, and a mark never twice."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines import chat
from pipelines.opinions import summary_id
from pipelines.rubrics import marks, wording
from pipelines.rubrics.memory import Memory
from pipelines.schema import DataError

if TYPE_CHECKING:
    import httpx2

TEMPERATURE = 0.7  # of further tries: at 0 another seed says the same again
PATIENCE = 20  # rows without any mark, from the first on, after which the server is held to be unable

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """Marks of one summary by feature, and why there are no more of them; empty where all are there."""

    scores: Mapping[str, float]
    fault: str
    asked: int
    cached: int
    asked_again: int


@dataclass(slots=True)
class Server:
    """A server, what every request to it says, and which way of asking it takes; `tries` are those of one mark.

    `form` is the schema that replies must fit, where the server takes one.
    """

    client: "httpx2.Client"
    numbers: Body
    tries: int
    form: Body = field(default_factory=lambda: marks.FORMAT)
    manner: int = field(default=0, init=False)

    def ask(self, body: Body) -> chat.Reply:
        """The reply in the first manner that the server takes, which is then kept to; raises chat.Refused in the last one."""
        for manner in range(self.manner, len(MANNERS)):
            try:
                reply = chat.complete(self.client, {**self.numbers, **MANNERS[manner](body, self.form)}, tries=self.tries)
            except chat.Refused as error:
                refusal = error
                continue
            self.manner = max(self.manner, manner)
            return reply
        raise refusal


def structured(body: Body, form: Body) -> Body:
    """With a schema that the reply must fit."""
    return {**body, "response_format": form}


def plain(body: Body, form: Body) -> Body:
    """Without one: the words ask for JSON too."""
    return body


def in_one(body: Body, form: Body) -> Body:
    """What the system would say at the head of the user's message, for templates that know no system."""
    return {**body, "messages": [{"role": "user", "content": "\n\n".join(part["content"] for part in body["messages"])}]}


MANNERS: Sequence[Callable[[Body, Body], Body]] = (structured, plain, in_one)


def rows(
    pairs: Sequence[tuple[str, str]], features: Sequence[str], server: Server, memory: Memory[float], *, concurrency: int = 4
) -> list[Row]:
    """A Row for each (prompt, summary), `concurrency` of them asked for at once.

    Raises DataError where the server is away or stays in trouble, or where the first summaries get no mark at all.
    """
    found: list[Row] = []
    barren, is_able = 0, False
    with ThreadPoolExecutor(concurrency) as pool:
        for row in pool.map(lambda pair: _row(pair, features, server, memory), pairs):
            found.append(row)
            barren += bool(row.fault)
            is_able |= len(row.scores) > row.cached
            if barren == PATIENCE and not is_able:
                raise DataError(f"the first {PATIENCE} summaries got no mark, the last one for {row.fault}; try another model")
    return found


def _row(pair: tuple[str, str], features: Sequence[str], server: Server, memory: Memory[float]) -> Row:
    """The first feature without a mark ends it: the row can't be used without."""
    scores: dict[str, float] = {}
    cached = asked = again = 0
    name = summary_id(*pair)
    for feature in features:
        edition = wording.edition(feature)
        score = memory.get(edition, name)
        if score is not None:
            cached += 1
        else:
            score, fault, tries = _mark(server, wording.messages(*pair, feature))
            asked, again = asked + 1, again + tries - 1
            if score is None:
                return Row(scores, f"{feature}: {fault}", asked, cached, again)
            memory.keep(edition, name, score)
        scores[feature] = score
    return Row(scores, "", asked, cached, again)


def _mark(server: Server, messages: Sequence[Body]) -> tuple[float | None, str, int]:
    """The mark or None, what is wrong with the last reply, and how many were asked for."""
    for nth in range(server.tries):
        try:
            reply = server.ask({"messages": messages, "seed": nth, "temperature": TEMPERATURE if nth else 0})
            return marks.read(reply), "", nth + 1
        except chat.Refused as error:
            return None, str(error), nth + 1
        except marks.NoMark as error:
            fault = f"the reply {error}"
    return None, f"{fault} (the last of {server.tries})", server.tries
