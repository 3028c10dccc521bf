"""Frozen Lake, 4 x 4, without slipping: a world of 16 states in which every policy, and the best one, can be written down."""

import numpy as np
import torch

MAP = "".join(("SFFF", "FHFH", "FFFH", "HFFG"))
SIDE = 4
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))  # left, down, right, up
STANDING = tuple(at for at, place in enumerate(MAP) if place in "SF")  # the 11 states in which something is decided
GOAL = MAP.index("G")


def after(state: int, action: int) -> int:
    """The state that follows; the edge of the lake holds, and holes and the goal keep who is in them."""
    if state not in STANDING:
        return state
    row, column = (min(max(at + by, 0), SIDE - 1) for at, by in zip(divmod(state, SIDE), MOVES[action], strict=True))
    return row * SIDE + column


def best() -> np.ndarray:
    """[11, 4] what value iteration ends at: even over the actions that lead to the goal soonest."""
    steps = np.full(len(MAP), np.inf)
    steps[GOAL] = 0
    for _ in MAP:
        for state in STANDING:
            steps[state] = 1 + min(steps[after(state, action)] for action in range(len(MOVES)))
    led = np.array([[steps[after(state, action)] for action in range(len(MOVES))] for state in STANDING])
    soonest = led == led.min(axis=1, keepdims=True)
    return soonest / soonest.sum(axis=1, keepdims=True)


def walked(said: str) -> tuple[list[int], list[int]]:
    """The states in which the actions, as "DRU", are taken, and the actions as numbers."""
    actions, states = ["LDRU".index(action) for action in said], [0]
    for action in actions:
        states.append(after(states[-1], action))
    return states[:-1], actions


class Walker(torch.nn.Module):
    """A policy of two layers on a state that is one-hot, or a mixture of such."""

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        first, last = torch.nn.Linear(len(MAP), width, bias=False), torch.nn.Linear(width, len(MOVES))
        self.layers = torch.nn.Sequential(first, torch.nn.ReLU(), last)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """[M, 4] log-probabilities of [M, 16]."""
        return self.layers(states).log_softmax(-1)

    @torch.no_grad()
    def chances(self) -> np.ndarray:
        """[11, 4] of each action, where something is decided."""
        return self(torch.eye(len(MAP))[list(STANDING)]).exp().numpy()
