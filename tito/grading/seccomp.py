"""A filter for the system calls that the sandbox refuses: those for uncounted memory, and those that help to escape.

The filter is a program for the kernel's BPF machine, with eight bytes per instruction. See seccomp(2).
"""

import errno
import platform
import struct

# Memory that no process and no file system accounts for: memfd_create, memfd_secret, shmget. Namespaces: unshare, setns, mount.
# Rarely needed and often attacked: io_uring (3), bpf, userfaultfd, perf_event_open, keyctl, add_key, request_key. Control over
# the sandbox's first process, which must end when the sandbox ends: ptrace, process_vm_readv and _writev, pidfd_getfd.
MACHINES = {
    "x86_64": (0xC000003E, 56, (319, 447, 29, 272, 308, 165, 425, 426, 427, 321, 323, 298, 250, 248, 249, 101, 310, 311, 438)),
    "aarch64": (0xC00000B7, 220, (279, 447, 194, 97, 268, 40, 425, 426, 427, 280, 282, 241, 219, 217, 218, 117, 270, 271, 438)),
}
CLONE3, CLONE_NEWUSER = 435, 0x10000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # REFUSE + the errno that the caller sees


def filter_program(machine: str = platform.machine()) -> bytes | None:
    """Return the filter for a machine, or None if the numbers of its system calls are not listed here."""
    if machine not in MACHINES:
        return None
    architecture, clone, refused = MACHINES[machine]
    tests = [(EQUAL, number) for number in refused] + [(AT_LEAST, 0x40000000)]  # the latter: x32, another numbering
    code = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, REFUSE + errno.EPERM), (LOAD, 0, 0, 0)]
    code += [(test, len(tests) - place + 3, 0, number) for place, (test, number) in enumerate(tests)]
    code += [
        (EQUAL, 4, 0, CLONE3),  # a filter cannot see its flags, which are in memory; without clone3, libc uses clone
        (EQUAL, 0, 4, clone),
        (LOAD, 0, 0, 16),
        (ANY_BIT, 0, 2, CLONE_NEWUSER),
        (RETURN, 0, 0, REFUSE + errno.EPERM),
        (RETURN, 0, 0, REFUSE + errno.ENOSYS),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
