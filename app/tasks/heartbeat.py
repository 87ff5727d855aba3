"""`python -m app.tasks.heartbeat [NAME]`: whether a worker of this machine is well; exit status 0 or 1, for probes.

A worker touches a file of its own every second, in a directory only its user may enter. Asking Celery itself would
fail while all slots are busy, and while the broker is away.
"""

import hashlib
import os
import re
import sys
import time
from pathlib import Path

from app.domain.errors import InvalidInput, StorageError
from app.domain.train_config import RUN_NAME_PATTERN
from app.domain.wording import say
from app.runs.files import storage_errors
from app.settings import Settings, get_settings, runtime_root

BEAT_SECONDS = 1.0
FRESH_SECONDS = 30.0


class Heartbeat:
    """The file of one worker, with its process id and, once it takes work, `ready`; names are unique on a machine."""

    def __init__(self, settings: Settings, name: str) -> None:
        if not re.fullmatch(RUN_NAME_PATTERN, name):
            raise InvalidInput(
                say("{name!r} cannot be a worker's name", name=name), hint="take letters, digits, '.', '_' and '-'"
            )
        self.takes_work = False
        self.path = _directory(settings) / f"{name}.beat"

    def beat(self) -> None:
        """Say that this process is well."""
        with storage_errors(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.path.parent.lstat()
            if found.st_uid != os.getuid() or found.st_mode & 0o077:
                raise StorageError(
                    say(
                        "{parent} is not a directory that only its owner, this user, may enter", parent=self.path.parent
                    ),
                    hint="remove it, or set XDG_RUNTIME_DIR to a directory of your own",
                )
            aside = self.path.with_suffix(".new")
            aside.write_text(f"{os.getpid()}{' ready' if self.takes_work else ''}", encoding="ascii")
            aside.replace(self.path)

    def end(self) -> None:
        """Say that this process is no worker any more."""
        self.path.unlink(missing_ok=True)

    def is_fresh(self) -> bool:
        """Whether the process said so just now."""
        return bool(self._heard())

    def is_ready(self) -> bool:
        """Whether it said, too, that it takes work."""
        return self._heard()[1:] == ["ready"]

    def _heard(self) -> list[str]:
        """The words of a file that is fresh and whose process lives."""
        try:
            words = self.path.read_text(encoding="ascii").split()
            is_well = time.time() - self.path.stat().st_mtime < FRESH_SECONDS and _is_alive(int(words[0]))
        except (OSError, ValueError, IndexError):
            return []
        return words if is_well else []


def any_fresh(settings: Settings) -> bool:
    """Whether one of the machine's workers is well."""
    return any(Heartbeat(settings, path.stem).is_fresh() for path in _directory(settings).glob("*.beat"))


def _directory(settings: Settings) -> Path:
    name = hashlib.sha256(os.fsencode(settings.results_dir.resolve())).hexdigest()[:12]
    return runtime_root() / f"finetune-{os.getuid()}-{name}-workers"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main(arguments: list[str]) -> int:
    """Answer the probe."""
    settings = get_settings()
    if Heartbeat(settings, arguments[0]).is_fresh() if arguments else any_fresh(settings):
        return 0
    print(f"no worker was heard of in the last {FRESH_SECONDS:g} seconds", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
