"""A seccomp filter: no sockets, processes, signals, or changes of files' owners and modes; such calls fail with EPERM."""

import ctypes
import os
import sys

from kernel import LIBC, must

SET_SECCOMP = 22
REFUSED_CALLS = {  # by their numbers on x86_64
    "sockets": (41,),
    "processes": (57, 58, 59, 322, 109, 112),  # fork vfork execve execveat setpgid setsid
    "signals": (62, 200, 234, 129, 297, 424),  # kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal
    "other processes": (101, 310, 311, 438, 312, 440, 448, 256, 279),  # ptrace process_vm_* pidfd_getfd kcmp madvise pages
    "schedules": (141, 142, 144, 203, 251, 314),  # setpriority sched_set* ioprio_set
    "namespaces": (272, 308, 165, 166, 155, 161, 428, 429, 430, 431, 432, 442),  # unshare setns mounts pivot_root chroot
    "attributes": (90, 91, 92, 93, 94, 132, 188, 189, 190, 197, 198, 199, 235, 260, 261, 268, 280, 452, 463, 466, 469),
    "lasting memory": (29, 64, 68, 240, 248, 249, 250),  # shmget semget msgget mq_open keys
    "the kernel": (321, 298, 323, 425, 426, 427),  # bpf perf_event_open userfaultfd io_uring
}
CLONE, CLONE3, PRLIMIT, A_THREAD = 56, 435, 302, 0x10000


def build() -> None:
    """Threads, which are clones that share their process, may be made, and limits of one's own process lowered."""
    if os.uname().machine != "x86_64" or sys.maxsize < 2**32:
        raise OSError("the filter knows the calls of x86_64 only")
    load, equal, least, anyof, give, allow, refuse = 0x20, 0x15, 0x35, 0x45, 0x06, 0x7FFF0000, 0x00050000
    steps = [(load, 0, 0, 4), (equal, 1, 0, 0xC000003E), (give, 0, 0, 0x80000000), (load, 0, 0, 0)]
    steps += [(least, 0, 1, 0x40000000), (give, 0, 0, refuse | 1)]  # the other calling convention of this machine
    steps += [(equal, 0, 1, CLONE3), (give, 0, 0, refuse | 38)]  # ENOSYS, whereupon libc makes its threads by clone
    for number in (number for numbers in REFUSED_CALLS.values() for number in numbers):
        steps += [(equal, 0, 1, number), (give, 0, 0, refuse | 1)]
    steps += [(equal, 0, 3, PRLIMIT), (load, 0, 0, 16), (equal, 1, 0, 0), (give, 0, 0, refuse | 1)]
    steps += [(equal, 0, 3, CLONE), (load, 0, 0, 16), (anyof, 1, 0, A_THREAD), (give, 0, 0, refuse | 1), (give, 0, 0, allow)]
    code = b"".join(a.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little") for a, yes, no, value in steps)
    held = ctypes.create_string_buffer(code, len(code))
    program = len(steps).to_bytes(8, "little") + ctypes.addressof(held).to_bytes(8, "little")
    must(LIBC.prctl(SET_SECCOMP, 2, program, 0, 0))
