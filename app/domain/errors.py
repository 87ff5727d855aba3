"""The one tree of errors a user can meet.

Each carries a stable `code` for programs, a `message` that names the place, and a `hint` that says what to do.
What an error means for HTTP or for an exit status is decided at the edges (`app/api/errors.py`, `app/cli`), not here.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class PlatformError(Exception):
    """Base of everything the platform raises on purpose.

    `code` is stable and dotted (`data.missing_column`); `retryable` is True only where the infrastructure, not the
    program or the data, is at fault. `places` are JSON pointers into a request, each with what is wrong there;
    `request_id` is what a server calls the request that failed, empty where none did.
    """

    code = "platform.error"
    retryable = False
    request_id = ""
    places: Sequence[tuple[str, str]] = ()

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class InvalidInput(PlatformError):
    """What the user typed or gave cannot be read or understood."""

    code = "input.invalid"


class ConfigError(InvalidInput):
    """A configuration has wrong keys or values; the message lists all of them."""

    code = "config.invalid"

    @classmethod
    def at(cls, key: str, what: str, hint: str) -> "ConfigError":
        """One setting, by its dotted key, that does not go with the others."""
        from app.domain.wording import say  # pydantic would slow down the start of every command

        error = cls(say("{key}: {what}", key=key, what=what), hint=hint)
        error.places = [("/" + key.replace(".", "/"), what)]
        return error


class DataUnreadable(InvalidInput):
    """A data file is missing, empty, binary, or in no format known here."""

    code = "data.unreadable"


class AmbiguousColumns(DataUnreadable):
    """More than one column could be the text or the label (`role`); `choices` are their names."""

    code = "data.ambiguous_columns"

    def __init__(self, message: str, *, role: str, choices: Sequence[str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.role = role
        self.choices = list(choices)
        self.places = [(f"/{role}_column", message)]


class ModelUnusable(InvalidInput):
    """A base model does not exist, has no safetensors weights, or needs code of its own."""

    code = "model.unusable"


class NotFound(InvalidInput):
    """Nothing bears that name."""

    code = "not_found"


class Hidden(NotFound):
    """Somebody else's: answered as if nothing bore that name, and recorded as a denial of `resource`."""

    def __init__(self, message: str, *, resource: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.resource = resource


class DataBlocked(PlatformError):
    """The data was read, and findings of severity `error` forbid training on it; `reports` has all of them by split."""

    code = "data.blocked"

    def __init__(self, message: str, *, hint: str = "", reports: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reports = dict(reports or {})


class Conflict(PlatformError):
    """The request cannot be met in the present state: name taken, run finished, run in use."""

    code = "conflict"


class StorageError(PlatformError):
    """Disk full, directory not writable, file damaged."""

    code = "storage.failed"
    retryable = True


class DatasetDamaged(StorageError):
    """A stored data set version's content does not match the hash it is named by."""

    code = "data.damaged"
    retryable = False


class CheckpointDamaged(StorageError):
    """A checkpoint's files do not match the hashes in its manifest."""

    code = "checkpoint.damaged"
    retryable = False


class TrainingFailed(PlatformError):
    """The engine could not finish: loss not finite, device lost, process died."""

    code = "run.failed"


class ProofFailed(PlatformError):
    """The saved model, loaded afresh, does not answer as the evaluated one did."""

    code = "proof.failed"


class ServiceUnavailable(PlatformError):
    """Another process that is needed does not answer."""

    code = "service.unavailable"
    retryable = True


class Unauthenticated(PlatformError):
    """Nobody knows who asks: no, or no valid, credentials."""

    code = "auth.required"


class Forbidden(PlatformError):
    """It is known who asks, and the account's role does not allow this."""

    code = "auth.forbidden"


class TooManyRequests(PlatformError):
    """A limit is reached; `retry_after_seconds` says when it is worth trying again."""

    code = "limit.reached"

    def __init__(self, message: str, *, retry_after_seconds: float, hint: str = "", code: str | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after_seconds = retry_after_seconds


class QuotaExceeded(TooManyRequests):
    """What an account may run, queue or store is used up."""

    code = "quota.exceeded"


class TooLarge(InvalidInput):
    """More bytes than are taken here."""

    code = "input.too_large"


class IdempotencyMismatch(InvalidInput):
    """An Idempotency-Key that was used for another request."""

    code = "idempotency.mismatch"


class AuditUnavailable(PlatformError):
    """The audit log cannot be written, so the change did not happen."""

    code = "audit.unavailable"
    retryable = True
