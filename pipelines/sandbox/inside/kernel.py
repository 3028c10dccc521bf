"""Calls of the C library that Python has no names for."""

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)


def must(result: int) -> int:
    """What a call of the C library gave; raises OSError where it failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def drop_capabilities() -> None:
    """Leaves this process none of root's powers, such as raising its own limits."""
    must(LIBC.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()))
