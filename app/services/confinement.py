"""What a process that reads strangers' files may not do: take all memory, compute for ever, fill the disk, call out.

Everywhere the limits of the operating system are set. On Linux the kernel also refuses every socket and every other
program (seccomp, Linux `Documentation/userspace-api/seccomp_filter.rst`), so that a fault of a parser reaches nothing.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from typing import NamedTuple

ADDRESS_SPACE_RESERVED = 2 * 2**30
"""What libraries reserve and never touch; it counts towards RLIMIT_DATA, not towards what is resident."""

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE_EPERM = 0x7FFF0000, 0x00050001
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE = 0, 4
_FOREIGN_NUMBERS = 0x40000000
"""From here on system calls are those of another calling convention (x32)."""


class _Calls(NamedTuple):
    """An architecture's mark in the kernel (AUDIT_ARCH_...) and its numbers of what is refused."""

    mark: int
    refused: tuple[int, ...]


_CALLS = {
    # socket, execve, execveat, ptrace, process_vm_writev, io_uring_setup
    "x86_64": _Calls(0xC000003E, (41, 59, 322, 101, 311, 425)),
    "aarch64": _Calls(0xC00000B7, (198, 221, 281, 117, 271, 425)),
}


class Limits(NamedTuple):
    """`memory_bytes` is what may be resident, `cpu_seconds` computing of all threads, `file_bytes` one file's size."""

    memory_bytes: int
    cpu_seconds: int
    file_bytes: int


def confine(limits: Limits, parent: int) -> None:
    """Give up, for good and for all threads to come, what reading a file does not need; end when the parent does.

    Call it while the process has one thread. RuntimeError where the parent is gone already.
    """
    _lower(resource.RLIMIT_CPU, limits.cpu_seconds)
    _lower(resource.RLIMIT_FSIZE, limits.file_bytes)
    _lower(resource.RLIMIT_DATA, limits.memory_bytes + ADDRESS_SPACE_RESERVED)
    _lower(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        _refuse_calls(libc)
    if os.getppid() != parent:
        raise RuntimeError("whoever asked for this is gone")
    sys.addaudithook(_refuse_network)


def _lower(kind: int, limit: int) -> None:
    """Set a limit unless it is lower already; systems without it go without."""
    _, hard = resource.getrlimit(kind)
    wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (wanted, hard))


def _refuse_network(event: str, _arguments: tuple[object, ...]) -> None:
    """For systems without seccomp, and for a clearer word where there is one."""
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        raise PermissionError(f"no network here ({event})")


def _refuse_calls(libc: ctypes.CDLL) -> bool:
    """Let the kernel refuse sockets and other programs; False where it cannot."""
    calls = _CALLS.get(platform.machine())
    if calls is None:
        return False
    code = b"".join(_filter(calls))
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions (8 bytes each), padding, their address
    program = ctypes.create_string_buffer(struct.pack("@HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer)))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter(calls: _Calls) -> list[bytes]:
    """A classic BPF program: EPERM for the calls that are refused, for foreign ones, and on a foreign architecture."""

    def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, if_true, if_false, value)

    refused = len(calls.refused)
    return [
        instruction(_LOAD, _OFFSET_ARCHITECTURE),
        instruction(_JUMP_EQUAL, calls.mark, 0, refused + 3),
        instruction(_LOAD, _OFFSET_NUMBER),
        instruction(_JUMP_GREATER_EQUAL, _FOREIGN_NUMBERS, refused + 1, 0),
        *(instruction(_JUMP_EQUAL, number, refused - place, 0) for place, number in enumerate(calls.refused)),
        instruction(_RETURN, _ALLOW),
        instruction(_RETURN, _REFUSE_EPERM),
    ]
