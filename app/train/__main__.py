"""`python -m app.train RUN_DIR`: do the run in that directory, or what is left of it.

Exit status: 0 done, 1 failed, 2 wrong usage or the run cannot be taken, 3 stopped on request (SIGTERM saves first).
"""

import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run the engine; errors that stop it before it owns the run go to stderr in one line."""
    if len(arguments) != 1 or not (Path(arguments[0]) / "config.yaml").is_file():
        print("usage: python -m app.train RUN_DIR   (a directory with config.yaml)", file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    if (directory / "receipt.json").is_file():
        print(f"error: {directory} is complete: it has a receipt", file=sys.stderr)
        return 2
    from app.settings import share_cores

    share_cores()
    from app.domain.errors import PlatformError
    from app.monitor.logging_utils import configure_logging
    from app.train.runner import EXIT_CODES, run

    configure_logging(sys.stdout)
    try:
        return EXIT_CODES[run(directory)]
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
