"""The first account: made by whoever can read what the server printed when it started without any.

Of a code the sha256 alone is kept, as the name of an empty file: several servers that start at once do not meet there.
"""

import hashlib
import secrets
from pathlib import Path

from app.db.repositories import users
from app.domain.errors import Conflict, Unauthenticated
from app.domain.principal import Caller, Role
from app.runs.files import storage_errors
from app.schemas.users import UserView
from app.services import accounts
from app.services.platform import Platform
from app.settings import Settings

MAX_CODES = 10
"""Of servers that started one after the other without an account; the oldest codes end."""


def offer_code(platform: Platform) -> str | None:
    """A code for POST /setup, to be shown to whoever starts the server; None where there are accounts."""
    with platform.installation.database.read() as session:
        if users.any_exists(session):
            _forget_codes(platform.settings)
            return None
    digits = secrets.token_hex(10)
    code = "-".join(digits[start : start + 4] for start in range(0, len(digits), 4))
    file = _file_of(platform.settings, code)
    with storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        for folder in (file.parent.parent, file.parent):
            folder.chmod(0o700)
        file.touch(mode=0o600)
        _forget_codes(platform.settings, but_newest=MAX_CODES)
    return code


def create_first_administrator(platform: Platform, caller: Caller, code: str, username: str, password: str) -> UserView:
    """The first administrator, for a code that was offered.

    Conflict `setup.done` once there is an account, however it was made; Unauthenticated for a wrong code.
    """
    platform.login_limits.check(caller.ip)
    # In this order: whoever was first has its account before the codes are forgotten.
    is_known = _file_of(platform.settings, code).is_file()
    with platform.installation.database.read() as session:
        if users.any_exists(session):
            raise _done()
    if not is_known:
        platform.login_limits.failed(caller.ip)
        platform.audit.append_now(caller, "user.setup", "installation:setup", "denied")
        raise Unauthenticated(
            "this is not the code the server printed when it started",
            hint="start the server again for a new one, or use `finetune users create`",
            code="auth.code_invalid",
        )
    password_hash = accounts.hash_new_password(platform, password, username)
    with platform.installation.database.write() as session:
        if users.any_exists(session):
            raise _done()
        row = accounts.add_user(platform, session, caller, username, password_hash, Role.ADMIN)
    _forget_codes(platform.settings)
    return accounts.view(row)


def _done() -> Conflict:
    return Conflict(
        "this installation has accounts already",
        hint="sign in; an administrator adds people, or `finetune users create` does",
        code="setup.done",
    )


def _file_of(settings: Settings, code: str) -> Path:
    normal = code.strip().lower().replace("-", "").encode("utf-8", "replace")
    return _folder(settings) / hashlib.sha256(normal).hexdigest()


def _folder(settings: Settings) -> Path:
    return settings.secrets_dir / "setup"


def _forget_codes(settings: Settings, but_newest: int = 0) -> None:
    files = sorted(_folder(settings).glob("*"), key=_time_of, reverse=True)
    for file in files[but_newest:]:
        file.unlink(missing_ok=True)


def _time_of(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
