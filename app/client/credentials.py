"""What `finetune login` keeps: for each server who signed in and the tokens, in a file only its owner reads."""

import contextlib
import fcntl
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_serializer

from app.domain.errors import StorageError

FILE_NAME = "credentials.json"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Tokens(BaseModel):
    """A sign-in: the access token, until when it holds (Unix seconds), and what gives the next one."""

    model_config = ConfigDict(frozen=True)

    access_token: SecretStr
    refresh_token: SecretStr
    expires_at: float

    @classmethod
    def lasting(cls, access_token: str, refresh_token: str, seconds: float) -> "Tokens":
        """Tokens that were just given and hold for `seconds`."""
        return cls(
            access_token=SecretStr(access_token),
            refresh_token=SecretStr(refresh_token),
            expires_at=time.time() + seconds,
        )

    @field_serializer("access_token", "refresh_token", when_used="json")
    def _shown(self, value: SecretStr) -> str:
        return value.get_secret_value()


class Entry(BaseModel):
    """What is kept for one server: tokens or an API key, and whether plain http to it was allowed."""

    model_config = ConfigDict(frozen=True)

    username: str
    tokens: Tokens | None = None
    api_key: SecretStr | None = None
    insecure_http: bool = False

    @field_serializer("api_key", when_used="json")
    def _shown(self, value: SecretStr | None) -> str | None:
        return None if value is None else value.get_secret_value()


class CredentialFile:
    """Entries by server, in `credentials.json` (0600) of a folder (0700) that belongs to the person alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / FILE_NAME

    def get(self, server: str) -> Entry | None:
        """What is kept for a server; StorageError `credentials.exposed` where others can read the file."""
        return self._read().get(server)

    def put(self, server: str, entry: Entry) -> None:
        """Keep an entry, replacing the one there was."""
        with self.locked():
            self._write(self._read() | {server: entry})

    def remove(self, server: str) -> Entry | None:
        """Forget a server; what was kept for it."""
        with self.locked():
            entries = self._read()
            removed = entries.pop(server, None)
            if removed is not None:
                self._write(entries)
        return removed

    def servers(self) -> list[str]:
        """The servers something is kept for."""
        return sorted(self._read())

    def replace_in_lock(self, server: str, entry: Entry) -> None:
        """As `put`, for whoever holds the lock."""
        self._write(self._read() | {server: entry})

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """While this holds, no other process changes the file: two that renew one sign-in would end it."""
        with _storage_errors(self.path):
            self._make_folder()
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(self.folder.stat().st_mode) & _OTHERS:
            self.folder.chmod(0o700)

    def _read(self) -> dict[str, Entry]:
        content = self._content()
        if content is None:
            return {}
        try:
            found: Any = json.loads(content)
            return {server: Entry.model_validate(entry) for server, entry in found["servers"].items()}
        except (ValueError, TypeError, KeyError, AttributeError, ValidationError) as error:
            raise StorageError(
                f"{self.path} is damaged",
                hint="remove it and sign in again: finetune login --server URL",
                code="credentials.damaged",
            ) from error

    def _content(self) -> bytes | None:
        """The bytes of the file, once it is certain that nobody else can have read or written them."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {self.path}: {error.strerror}", hint="check its owner and mode") from error
        with os.fdopen(descriptor, "rb") as file:
            self._check(os.fstat(file.fileno()))
            return file.read()

    def _check(self, found: os.stat_result) -> None:
        hint = f"nothing was sent. Repair it: chmod 700 {self.folder}; chmod 600 {self.path}; then change your password"
        if found.st_uid != os.geteuid():
            raise _exposed(f"{self.path} belongs to somebody else", "remove it and sign in again")
        if stat.S_IMODE(found.st_mode) & _OTHERS:
            raise _exposed(f"others can read {self.path} (mode {stat.S_IMODE(found.st_mode):o})", hint)
        folder = self.folder.stat()
        if folder.st_mode & _OTHERS_WRITE or folder.st_uid not in (os.geteuid(), 0):
            raise _exposed(f"others can change {self.folder}", hint)

    def _write(self, entries: dict[str, Entry]) -> None:
        shown = {server: entry.model_dump(mode="json", exclude_none=True) for server, entry in sorted(entries.items())}
        content = json.dumps({"servers": shown}, indent=2).encode()
        temporary = self.folder / f".{FILE_NAME}.{secrets.token_hex(8)}"
        with _storage_errors(self.path):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self.path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise


def _exposed(message: str, hint: str) -> StorageError:
    return StorageError(message, hint=hint, code="credentials.exposed")


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}", hint="check the folder's owner and mode, or set XDG_CONFIG_HOME"
        ) from error
