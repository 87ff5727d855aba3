"""The environment and `.env` as settings; what is wrong with them is one line."""

from pathlib import Path

import pytest

from app.domain.errors import ConfigError
from app.settings import environment_without_secrets, get_settings

SECRETS = "AUDIT_SECRET DATABASE_URL JWT_PREVIOUS_SECRETS JWT_SECRET METRICS_TOKEN REDIS_URL"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, in which `.env` is looked for."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environment_wins_over_the_env_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("# a comment\nSERVE_PORT='9001'\nRESULTS_DIR=elsewhere\n", encoding="utf-8")
    monkeypatch.setenv("RESULTS_DIR", "here")
    assert (get_settings().serve_port, get_settings().results_dir) == (9001, Path("here"))


@pytest.mark.parametrize("value", ["abc", "0", "70000", "80.5"])
def test_a_wrong_port_is_one_line_with_what_is_allowed(
    value: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVE_PORT", value)
    with pytest.raises(ConfigError) as caught:
        get_settings()
    assert caught.value.message == f"SERVE_PORT={value!r} is not allowed; expected a whole number from 1 to 65535"


def test_a_wrong_value_in_the_env_file_names_the_file(folder: Path) -> None:
    (folder / ".env").write_text("SERVE_PORT=abc\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^\.env: SERVE_PORT='abc' is not allowed"):
        get_settings()


def test_an_env_file_that_cannot_be_read_as_text_is_named_with_its_line(folder: Path) -> None:
    (folder / ".env").write_bytes(b"SERVE_PORT=8002\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"^\.env:2: ") as caught:
        get_settings()
    assert "UTF-8" in caught.value.hint


def test_an_env_file_with_a_byte_order_mark_is_read(folder: Path) -> None:
    (folder / ".env").write_bytes(b"\xef\xbb\xbfSERVE_PORT=9001\r\n")
    assert get_settings().serve_port == 9001


@pytest.mark.parametrize("address", ["redis:secret@host", "http://:secret@host"])
def test_a_wrong_address_is_refused_without_the_password_in_it(
    address: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", address)
    with pytest.raises(ConfigError) as caught:
        get_settings()
    assert str(caught.value).startswith("REDIS_URL is not allowed; expected redis://HOST:PORT/NUMBER")
    assert "secret" not in str(caught.value)


def test_a_process_that_only_computes_is_given_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS.split():
        monkeypatch.setenv(name, "s3cret")
    given = environment_without_secrets()
    assert [name for name, value in given.items() if "s3cret" in value] == []
    assert "PATH" in given
