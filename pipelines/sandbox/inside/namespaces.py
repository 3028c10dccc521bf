"""Processes, network and file system of its own: the program sees the interpreter and an empty folder in memory.

Where the user outside is root and no user of its own can be had, the kernel binds root to no number of processes: then
only the filter keeps programs from making them.
"""

from __future__ import annotations

import ctypes
import os

from kernel import LIBC, must

NEW_USER, NEW_OTHERS = 0x10000000, 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000  # mount pid net ipc uts
READ_ONLY, NO_SUID, NO_DEV, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
DETACH = 2
FOLDER = "/box"  # where the program begins, and all that it may write to


def enter() -> None:
    """As root without a user namespace, so that a run may have a user of its own; else within one."""
    if os.getuid() == 0 and LIBC.unshare(NEW_OTHERS) == 0:
        return
    user, group = os.getuid(), os.getgid()
    must(LIBC.unshare(NEW_USER | NEW_OTHERS))
    for name, text in {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}.items():
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def make_root(readable: list[str], size: int, files: int) -> None:
    """A file system of an empty folder in memory, of at most so many bytes and files, and what is readable."""
    root = os.getcwd()
    _mount(None, "/", None, RECURSIVE | PRIVATE)
    _mount("root", root, "tmpfs", NO_SUID | NO_DEV, "size=1m,mode=755")
    for path in readable:
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
        else:
            os.makedirs(root + path, exist_ok=True)
            _mount(path, root + path, None, BIND | RECURSIVE)
            _mount(None, root + path, None, BIND | REMOUNT | READ_ONLY | NO_SUID | NO_DEV)
    os.mkdir(root + FOLDER)
    _mount("box", root + FOLDER, "tmpfs", NO_SUID | NO_DEV, f"size={size},nr_inodes={files},mode=777")
    _mount(None, root, None, REMOUNT | READ_ONLY | NO_SUID | NO_DEV, "size=1m,mode=755")
    os.chdir(root)
    must(LIBC.pivot_root(b".", b"."))
    must(LIBC.umount2(b".", DETACH))
    os.chdir(FOLDER)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = [None if text is None else text.encode() for text in (source, target, kind, data)]
    must(LIBC.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]))
