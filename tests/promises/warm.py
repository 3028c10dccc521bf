"""A warm process for commands that are harmed: all is imported once, and each runs in a fork of it, as long as it is let.

A line of JSON comes in for each (what is called, and how it is harmed) and one goes out: how it ended, after how many changes.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

HARMS = ("nothing", "kill", "full")  # as in harm.c
LONGEST = 120  # seconds of one command
HEAVY = """
assets.cli assets.runs assets.audit_report checks.audit dagster model_signing.signing rlhf_train.run accelerate torch._dynamo
transformers.models.auto.modeling_auto transformers.models.auto.tokenization_auto transformers.models.llama.modeling_llama
transformers.integrations.peft
"""


def called(order: dict[str, Any]) -> None:
    """What is asked for, in this process."""
    module, _, name = order["call"].partition(":")
    getattr(importlib.import_module(module), name)(*order["words"])


def as_asked(order: dict[str, Any], told: int) -> int:
    """The exit code of a child that has what was asked for behind it."""
    signal.alarm(LONGEST)
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(order["said"], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), stream)
    os.environ.update(order["surroundings"])
    os.chdir(order["below"])
    if order["user"]:
        os.setuid(order["user"])
    harm = ctypes.CDLL(None)
    harm.arm(os.fsencode(order["below"]), ctypes.c_long(order["moment"]), HARMS.index(order["harm"]))
    code = 0
    try:
        called(order)
    except SystemExit as stop:
        print(stop.code if isinstance(stop.code, str) else "", end="", file=sys.stderr)
        code = stop.code if isinstance(stop.code, int) else bool(stop.code)
    except BaseException:
        code = 1
        sys.excepthook(*sys.exc_info())
    os.write(told, str(harm.changed()).encode())
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def main() -> None:
    """Serves until nobody asks any more."""
    for name in HEAVY.split():
        importlib.import_module(name)
    print(json.dumps({"threads": len(os.listdir("/proc/self/task"))}), flush=True)
    for line in sys.stdin:
        heard, told = os.pipe()
        child = os.fork()
        if not child:
            code = 1
            try:
                code = as_asked(json.loads(line), told)
            finally:
                os._exit(code)
        os.close(told)
        _, status = os.waitpid(child, 0)
        changes = os.read(heard, 20)
        os.close(heard)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "changes": int(changes or 0)}), flush=True)
    os._exit(0)  # nothing here is worth the seconds that taking it all apart takes


if __name__ == "__main__":
    main()
