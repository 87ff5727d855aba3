"""The keys that sign access tokens, as they are now: a rotated key takes effect in processes that run already."""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import StorageError
from app.domain.principal import Caller
from app.services.auditing import AuditLog
from app.services.secrets import SigningKey, load_secrets, rotate_jwt_key
from app.settings import Settings

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""An unknown key id makes the file be read again at most so often: anybody can send one."""


@dataclass(frozen=True)
class _Loaded:
    keys: tuple[SigningKey, ...]
    stamp: tuple[int, int] | None
    at: float


class SigningKeys:
    """The keys of this installation, newest first; where they lie in a file, it is read again when it has changed."""

    def __init__(self, settings: Settings, keys: tuple[SigningKey, ...]) -> None:
        self._settings = settings
        self._path = None if settings.jwt_secret.get_secret_value() else settings.secrets_dir / "jwt.json"
        self._lock = threading.Lock()
        self._loaded = _Loaded(keys, None, time.monotonic())

    def newest(self) -> SigningKey:
        """The key that signs."""
        return self._current().keys[0]

    def secret_of(self, key_id: str) -> bytes | None:
        """The secret of a key that verifies; None for one that is unknown, or too old."""
        loaded = self._current()
        found = _find(loaded, key_id)
        if found is None and self._path is not None and time.monotonic() - loaded.at > RETRY_SECONDS:
            # A file system may show an old state of the file for a while; the unknown key says it is one.
            found = _find(self._reload(loaded), key_id)
        return found

    def _current(self) -> _Loaded:
        loaded = self._loaded
        stamp = _stamp(self._path) if self._path else None
        return loaded if stamp is None or stamp == loaded.stamp else self._reload(loaded)

    def _reload(self, stale: _Loaded) -> _Loaded:
        with self._lock:
            if self._loaded is stale:
                stamp = _stamp(self._path) if self._path else None
                self._loaded = _Loaded(self._read(stale), stamp, time.monotonic())
            return self._loaded

    def _read(self, stale: _Loaded) -> tuple[SigningKey, ...]:
        try:
            return load_secrets(self._settings).jwt_keys
        except StorageError:
            # Whoever is signed in stays so; the next start refuses the file.
            logger.exception("the keys that sign tokens cannot be read again; the ones in use stay")
            return stale.keys


def rotate(settings: Settings, audit: AuditLog, caller: Caller) -> str:
    """Let a new key sign from now on, in running processes too; its id. Tokens of the previous ones stay valid."""
    audit.append_now(caller, "key.rotate", "key:jwt", "started")
    key_id = rotate_jwt_key(settings)
    audit.append_now(caller, "key.rotate", f"key:{key_id}")
    return key_id


def _find(loaded: _Loaded, key_id: str) -> bytes | None:
    return next((key.secret for key in loaded.keys if key.key_id == key_id), None)


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when the file is replaced; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
