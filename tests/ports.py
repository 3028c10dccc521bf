"""A port for a server that another process is to open."""

import random
import socket

OURS = range(20_000, 32_000)  # Linux deals out those from 32768 on: no client of another test can be given one of ours


def free_port() -> int:
    """One that nobody listens on; a new draw each time, and never by a seed, for two workers must not agree."""
    while True:
        port = random.SystemRandom().choice(OURS)
        with socket.socket() as free:
            if free.connect_ex(("127.0.0.1", port)):
                return port
