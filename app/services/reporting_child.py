"""Work on texts in a child process, so that no torch is loaded here: texts go in as a file, progress comes back.

The child prints one JSON object a line: `{"done", "total"}` in rows while it goes on, `{"error", "hint"}` where it
cannot.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from app.domain.errors import ModelUnusable
from app.settings import share_cores


def write_texts(texts: Sequence[str], path: Path) -> Path:
    """Write one JSON string a line, in ASCII: halves of characters survive too."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(text)}\n" for text in texts)
    return path


def run_reporting(arguments: list[str], progress: Callable[[int, int], None] | None, *, otherwise: str) -> None:
    """Run Python with these arguments; it ends when this process does.

    ModelUnusable with the child's words where it fails, or with `otherwise` where it has none.
    """
    share_cores()
    command = [sys.executable, "-m", "app.services.child", str(os.getpid()), sys.executable, *arguments]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True, encoding="utf-8") as process,
    ):
        said: dict[str, str] = {}
        try:
            for line in process.stdout or ():
                message = json.loads(line)
                if "error" in message:
                    said = message
                elif progress is not None:
                    progress(message["done"], message["total"])
        except BaseException:
            process.terminate()
            raise
        if process.wait() == 0:
            return
        complaints.seek(0)
        lines = complaints.read().strip().splitlines()
    reason = said.get("error") or f"{otherwise}: {lines[-1] if lines else 'no word'}"
    raise ModelUnusable(reason, hint=said.get("hint") or "is there enough memory?")
