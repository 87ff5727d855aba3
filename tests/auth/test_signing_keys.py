"""Keys that sign tokens rotate while the API runs: nobody is signed out, and what is too old ends."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.db.tables import AuditEventRow
from app.domain.errors import ConfigError
from app.domain.principal import Caller
from app.services import secrets
from app.services.auditing import AuditLog
from app.services.installation import open_installation
from app.services.secrets import load_audit_key, load_secrets, rotate_jwt_key
from app.services.signing_keys import SigningKeys, rotate
from app.settings import Settings, get_settings

ROTATE = """
from app.services.secrets import rotate_jwt_key
from app.settings import get_settings
print(rotate_jwt_key(get_settings()))
"""


@pytest.fixture
def settings() -> Settings:
    return get_settings()


@pytest.fixture
def keys(settings: Settings) -> SigningKeys:
    return SigningKeys(settings, load_secrets(settings).jwt_keys)


def test_a_new_key_signs_at_once_and_the_one_before_still_verifies(settings: Settings, keys: SigningKeys) -> None:
    before = keys.newest()
    key_id = rotate_jwt_key(settings)
    assert keys.newest().key_id == key_id != before.key_id
    assert keys.secret_of(before.key_id) == before.secret


def test_a_key_verifies_through_two_rotations_and_not_through_three(settings: Settings, keys: SigningKeys) -> None:
    before = keys.newest()
    for expected in (True, True, False):
        rotate_jwt_key(settings)
        assert (keys.secret_of(before.key_id) is not None) is expected


def test_a_process_that_runs_notices_a_rotation_by_another_one(settings: Settings, keys: SigningKeys) -> None:
    command = [sys.executable, "-c", ROTATE]
    key_id = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert keys.secret_of(key_id) is not None
    assert keys.newest().key_id == key_id


def test_of_keys_that_are_rotated_at_once_none_is_lost(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    load_secrets(settings)
    together, write, made = threading.Barrier(6), secrets._write, list[str]()

    def slowly(path: Path, values: list[str]) -> None:
        time.sleep(0.02)  # wide open for whoever has read the file before
        write(path, values)

    def change() -> None:
        together.wait()
        made.append(rotate_jwt_key(settings, keep=10))

    monkeypatch.setattr(secrets, "_write", slowly)
    threads = [threading.Thread(target=change) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(made) < {key.key_id for key in load_secrets(settings).jwt_keys}


def test_an_unknown_key_id_is_looked_for_even_where_the_file_seems_unchanged(
    settings: Settings, keys: SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.newest()
    monkeypatch.setattr("app.services.signing_keys._stamp", lambda path: keys._loaded.stamp)
    monkeypatch.setattr("app.services.signing_keys.RETRY_SECONDS", 0.0)
    key_id = rotate_jwt_key(settings)
    assert keys.secret_of(key_id) is not None


def test_unknown_key_ids_do_not_make_the_file_be_read_each_time(
    settings: Settings, keys: SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.newest()
    read: list[Settings] = []
    monkeypatch.setattr("app.services.signing_keys.load_secrets", read.append)
    monkeypatch.setattr("app.services.signing_keys.RETRY_SECONDS", 3600.0)
    assert [keys.secret_of(f"unknown-{number}") for number in range(100)] == [None] * 100
    assert read == []


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', "[1]"])
def test_a_file_that_was_damaged_meanwhile_signs_nobody_out(
    settings: Settings, keys: SigningKeys, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = keys.newest()
    (settings.secrets_dir / "jwt.json").write_text(content)
    assert keys.newest() == before
    assert keys.secret_of(before.key_id) == before.secret
    assert "the ones in use stay" in caplog.text


def test_a_file_that_was_removed_meanwhile_signs_nobody_out(settings: Settings, keys: SigningKeys) -> None:
    before = keys.newest()
    (settings.secrets_dir / "jwt.json").unlink()
    assert keys.newest() == before


def test_a_rotation_is_recorded_without_the_key(settings: Settings) -> None:
    database = open_installation(settings).database
    audit = AuditLog(database, load_audit_key(settings), settings.results_dir)
    key_id = rotate(settings, audit, Caller(local_user="ada"))
    with database.read() as session:
        rows = [(row.actor, row.action, row.resource, row.outcome) for row in session.query(AuditEventRow)]
    assert rows == [
        ("local:ada", "key.rotate", "key:jwt", "started"),
        ("local:ada", "key.rotate", f"key:{key_id}", "success"),
    ]
    secret = json.loads((settings.secrets_dir / "jwt.json").read_text())[0]
    assert secret not in str(rows)


def test_keys_given_by_the_environment_stay_as_they_are_given(settings: Settings) -> None:
    given = settings.model_copy(update={"jwt_secret": type(settings.jwt_secret)("x1y2z3" * 10)})
    keys = SigningKeys(given, load_secrets(given).jwt_keys)
    with pytest.raises(ConfigError, match="JWT_SECRET"):
        rotate_jwt_key(given)
    assert keys.secret_of("unknown") is None
    assert keys.newest().secret == b"x1y2z3" * 10


def test_secrets_are_readable_by_their_owner_alone(settings: Settings, keys: SigningKeys) -> None:
    rotate_jwt_key(settings)
    assert settings.secrets_dir.stat().st_mode & 0o777 == 0o700
    assert (settings.secrets_dir / "jwt.json").stat().st_mode & 0o777 == 0o600
