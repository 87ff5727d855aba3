"""`python -m app.services.child PARENT_PID PROGRAM ARG...`: become PROGRAM, and get SIGTERM when the parent dies.

On Linux the kernel keeps that promise (PR_SET_PDEATHSIG survives exec); elsewhere the program just starts. It is a
process of its own because a hook between fork and exec is not safe in a parent with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, make sure the parent did not die before, and turn into the program."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the supervisor died before the run began")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
