"""A clock that can be moved under a running process, where a C compiler makes it.

libfaketime 0.9.10 was tried first: told to leave the clocks of intervals alone, it made `time.sleep` fail now and then.
"""

import mmap
import shutil
import struct
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")
WHY_NOT = "" if shutil.which("cc") and sys.platform == "linux" else "there is no C compiler (apt-get install gcc)"
"""Why no clock can be moved here; empty where one can."""


class Clock:
    """How far the wall clock is moved of processes that are started with `environment`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._file.write_bytes(struct.pack("q", 0))
        self.environment: dict[str, str] = {}
        if not WHY_NOT:
            library = folder / "clock.so"
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
            self.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(self._file)}

    def move(self, seconds: int) -> None:
        """Set it so many seconds ahead; below zero, back."""
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as offset:
            offset[:] = struct.pack("q", seconds)
