"""What must not be known: the keys that sign tokens and the audit log. From the environment, or generated once.

A generated secret lies in a file of its own in `RESULTS_DIR/secrets`, which only its owner can read.
"""

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.domain.errors import ConfigError, StorageError
from app.settings import Settings

MIN_SECRET_CHARACTERS = 32
MIN_DISTINCT_CHARACTERS = 10
_HOW_TO_MAKE_ONE = "python -c 'import secrets; print(secrets.token_urlsafe(48))' makes one"


@dataclass(frozen=True)
class SigningKey:
    """A secret and the name tokens carry for it; the name is derived from the secret and tells nothing of it."""

    key_id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class Secrets:
    """`jwt_keys`: the first signs, all verify. `audit_key` signs the head and the checkpoints of the audit log."""

    jwt_keys: tuple[SigningKey, ...]
    audit_key: bytes = field(repr=False)


def load_secrets(settings: Settings) -> Secrets:
    """The secrets of this installation, generated where none is given.

    In production ConfigError, one line for all that is missing or weak.
    """
    given = settings.jwt_secret.get_secret_value()
    previous = [s.strip() for s in settings.jwt_previous_secrets.get_secret_value().split(",") if s.strip()]
    if settings.environment == "production":
        _refuse_weak(settings, previous)
    if previous and not given:
        raise ConfigError(
            "JWT_PREVIOUS_SECRETS has no effect while JWT_SECRET is not set", hint="set JWT_SECRET too, or neither"
        )
    jwt_secrets = [given, *previous] if given else _generated_list(settings.secrets_dir / "jwt.json")
    return Secrets(tuple(_key(secret) for secret in jwt_secrets), load_audit_key(settings))


def load_audit_key(settings: Settings) -> bytes:
    """What signs the audit log, generated where none is given; ConfigError for one that is easily guessed.

    In production it must be given: who can change the log's file could read a generated one beside it.
    """
    given = settings.audit_secret.get_secret_value()
    if not given and settings.environment == "production":
        raise ConfigError("AUDIT_SECRET is not set", hint=_HOW_TO_MAKE_ONE, code="config.weak_secret")
    if not given:
        return _generated_list(settings.secrets_dir / "audit.json")[0].encode()
    if reason := weakness(given):
        raise ConfigError(f"AUDIT_SECRET {reason}", hint=_HOW_TO_MAKE_ONE, code="config.weak_secret")
    return given.encode()


def rotate_jwt_key(settings: Settings, keep: int = 2) -> str:
    """Let a new generated key sign from the next start on; the `keep` newest old ones still verify. Its name."""
    if settings.jwt_secret.get_secret_value():
        raise ConfigError(
            "JWT_SECRET is set, so keys are not kept here",
            hint="move its value to JWT_PREVIOUS_SECRETS and give JWT_SECRET a new one",
        )
    path = settings.secrets_dir / "jwt.json"
    fresh = secrets.token_urlsafe(48)
    _generated_list(path)  # makes the directory
    with _one_at_a_time(path):
        _write(path, [fresh, *_generated_list(path)[:keep]])
    return _key(fresh).key_id


def weakness(secret: str) -> str:
    """Why a secret cannot protect anything; empty where nothing is wrong with it."""
    if len(secret) < MIN_SECRET_CHARACTERS:
        return f"has {len(secret)} characters, fewer than {MIN_SECRET_CHARACTERS}"
    if len(set(secret)) < MIN_DISTINCT_CHARACTERS:
        return f"has only {len(set(secret))} different characters"
    return ""


def _refuse_weak(settings: Settings, previous_jwt_secrets: list[str]) -> None:
    wrong = []
    given = {
        "JWT_SECRET": settings.jwt_secret,
        "AUDIT_SECRET": settings.audit_secret,
        "METRICS_TOKEN": settings.metrics_token,
    }
    for name, value in given.items():
        secret = value.get_secret_value()
        if not secret:
            wrong.append(f"{name} is not set")
        elif reason := weakness(secret):
            wrong.append(f"{name} {reason}")
    if (secret := settings.proxy_secret.get_secret_value()) and (reason := weakness(secret)):
        wrong.append(f"PROXY_SECRET {reason}")
    for number, secret in enumerate(previous_jwt_secrets, start=1):
        if reason := weakness(secret):
            wrong.append(f"JWT_PREVIOUS_SECRETS, number {number}, {reason}")
    if wrong:
        raise ConfigError(
            f"ENVIRONMENT=production: {'; '.join(wrong)}",
            hint=_HOW_TO_MAKE_ONE,
            code="config.weak_secret",
        )


def _key(secret: str) -> SigningKey:
    return SigningKey(hashlib.sha256(b"key id of " + secret.encode()).hexdigest()[:16], secret.encode())


def _generated_list(path: Path) -> list[str]:
    """The secrets in a file, newest first; of processes that make it at once, all get the same."""
    try:
        if not path.exists():
            _create(path, [secrets.token_urlsafe(48)])
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot use {path}: {error}", hint="check its owner and permissions") from error
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise StorageError(f"{path} holds no secrets", hint="move the file away; a new one is made")
    return values


def _create(path: Path, values: list[str]) -> None:
    """Write the file unless another process was faster: a link to a whole file appears at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    temporary = _write_beside(path, values)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Of processes that change the file at once, each changes what the one before has written."""
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, values: list[str]) -> None:
    _write_beside(path, values).replace(path)


def _write_beside(path: Path, values: list[str]) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(values, file)
        file.flush()
        os.fsync(file.fileno())
    return temporary
