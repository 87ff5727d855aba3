"""`make logs-local`: print the log of the run that was written to last."""

import shutil
import sys
from pathlib import Path

from app.domain.errors import PlatformError
from app.settings import get_settings


def newest_log(results_dir: Path) -> Path | None:
    """The `logs.txt` that changed last, None where there is no run yet."""
    logs = list(results_dir.glob("*/logs.txt"))
    return max(logs, key=lambda log: log.stat().st_mtime) if logs else None


def main() -> int:
    """Print the log; 1 when there is none, 2 when the settings are wrong."""
    try:
        results_dir = get_settings().results_dir
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    log = newest_log(results_dir)
    if log is None:
        print(f"error: no run has written a log in {results_dir}", file=sys.stderr)
        print("  hint: start one with: make run-local", file=sys.stderr)
        return 1
    print(f"{log}:", file=sys.stderr, flush=True)
    with log.open("rb") as lines:
        shutil.copyfileobj(lines, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
