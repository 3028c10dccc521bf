"""Landlock: no writing, no reading beyond the interpreter, no signals or connections to what is outside.

It leaves owners and modes of files alone: those are the filter's.
"""

import ctypes
import os
import sys

from kernel import LIBC, must

CREATE, ADD, RESTRICT = 444, 445, 446  # system calls, on every machine
READ = 0b1101  # execute, read a file, list a folder


def build(readable: list[str], writable: list[str]) -> None:
    """Reads and runs what is readable, changes what is writable, signals and connects to nothing outside (ABI 3 or later)."""
    abi = LIBC.syscall(CREATE, None, 0, 1)
    if abi < 3:
        raise OSError("Landlock is missing, or too old to guard against truncation")
    everything = (1 << (16 if abi >= 5 else 15)) - 1
    words = (everything, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)[: 1 + (abi >= 4) + (abi >= 6)]
    ruleset = must(LIBC.syscall(CREATE, (ctypes.c_uint64 * len(words))(*words), 8 * len(words), 0))
    for path, rights in [(path, READ) for path in readable] + [(path, everything) for path in writable]:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = rights.to_bytes(8, sys.byteorder) + folder.to_bytes(4, sys.byteorder)
        must(LIBC.syscall(ADD, ruleset, 1, rule, 0))
        os.close(folder)
    must(LIBC.syscall(RESTRICT, ruleset, 0))
    os.close(ruleset)
