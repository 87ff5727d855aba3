"""`finetune login` and `logout` against a real server; what they keep on disk."""

import io
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api_server import PASSWORD, ApiServer

Finetune = Callable[..., Any]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this person's configuration lies."""
    from app.settings import get_settings

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    get_settings.cache_clear()
    return tmp_path / "config" / "finetune"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`typed(text)` is what stdin gives."""

    def give(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return give


@pytest.fixture
def signed_in(api_server: ApiServer, finetune: Finetune, typed: Any) -> ApiServer:
    """A server this person is signed in to as ada."""
    api_server.account("user", "ada")
    typed(PASSWORD + "\n")
    answer = finetune("login", "--server", api_server.address, "--username", "ada", "--password-stdin")
    assert answer.status == 0, answer.err
    assert answer.out.splitlines()[0] == f"signed in to {api_server.address} as ada (user)"
    return api_server


def _kept(home: Path) -> dict[str, Any]:
    return json.loads((home / "credentials.json").read_text())["servers"]


def _sessions(server: ApiServer) -> int:
    from app.client import Client

    with Client(server.address) as client:
        client.sign_in("ada", PASSWORD)
        return len(client.me.sessions())


def test_signing_in_keeps_tokens_only_the_owner_can_read(signed_in: ApiServer, home: Path) -> None:
    path = home / "credentials.json"
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(home.stat().st_mode)) == (0o600, 0o700)
    assert PASSWORD not in path.read_text()
    entry = _kept(home)[signed_in.address]
    assert entry["username"] == "ada"
    assert set(entry["tokens"]) == {"access_token", "refresh_token", "expires_at"}


def test_signing_out_ends_the_sign_in_on_the_server_too(signed_in: ApiServer, home: Path, finetune: Finetune) -> None:
    before = _sessions(signed_in)
    answer = finetune("logout")
    assert (answer.status, answer.out, answer.err) == (0, f"signed out of {signed_in.address}\n", "")
    assert _kept(home) == {}
    assert _sessions(signed_in) == before  # one ended, one was made to look


def test_signing_in_again_ends_the_sign_in_before(signed_in: ApiServer, typed: Any, finetune: Finetune) -> None:
    before = _sessions(signed_in)
    typed(PASSWORD)
    finetune("--server", signed_in.address + "/", "login", "--username", "ada", "--password-stdin")
    assert _sessions(signed_in) == before + 1


def test_nobody_is_signed_out(finetune: Finetune) -> None:
    answer = finetune("logout")
    assert (answer.status, answer.err) == (
        2,
        "error: you are signed in nowhere\n  hint: sign in: finetune login --server URL\n",
    )


def test_a_server_that_is_gone_can_be_signed_out_of(home: Path, finetune: Finetune) -> None:
    from app.client.credentials import CredentialFile, Entry, Tokens

    CredentialFile(home).put("http://127.0.0.1:1", Entry(username="ada", tokens=Tokens.lasting("a", "b", 900)))
    answer = finetune("logout", "--server", "http://127.0.0.1:1/")
    assert answer.status == 0
    assert answer.err.startswith("warning: the server could not be told: http://127.0.0.1:1 cannot be reached")
    assert _kept(home) == {}


def test_a_wrong_password_keeps_nothing(api_server: ApiServer, home: Path, typed: Any, finetune: Finetune) -> None:
    typed("wrong\n")
    answer = finetune("login", "--server", api_server.address, "--username", "ada", "--password-stdin")
    assert answer.status == 1
    assert answer.err.startswith("error: the name or the password is wrong\n  hint: ")
    assert not home.exists()


def test_an_api_key_can_be_kept_instead(api_server: ApiServer, home: Path, typed: Any, finetune: Finetune) -> None:
    with api_server.signed_in("user", "ada") as client:
        key = client.api_keys.create("laptop").key
    typed(f"{key}\n")
    answer = finetune("login", "--server", api_server.address, "--api-key-stdin")
    assert answer.status == 0, answer.err
    assert _kept(home)[api_server.address] == {"username": "ada", "api_key": key, "insecure_http": False}
    answer = finetune("logout")
    assert "the API key itself stays valid" in answer.err
    typed("ft_0123456789ab_nothing\n")
    answer = finetune("login", "--server", api_server.address, "--api-key-stdin")
    assert (answer.status, _kept(home)) == (1, {})


def test_a_password_does_not_travel_in_the_open_unless_it_is_asked_for(typed: Any, finetune: Finetune) -> None:
    typed(PASSWORD)
    answer = finetune("login", "--server", "http://finetune.invalid", "--username", "ada", "--password-stdin")
    assert answer.status == 2
    assert "unencrypted" in answer.err
    assert "--insecure-http" in answer.err


def test_what_is_no_api_key_is_not_sent(api_server: ApiServer, home: Path, typed: Any, finetune: Finetune) -> None:
    for key in ("ft_schlüssel\n", "two words\n"):
        typed(key)
        answer = finetune("login", "--server", api_server.address, "--api-key-stdin")
        assert answer.status == 2
        assert answer.err.startswith("error: what is on stdin is no API key\n")
    assert not home.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("login", "--server", "https://xn--0.example"), "no address of a server"),
        (("login",), "which server?"),
        (("login", "--server", "http://127.0.0.1:1"), "whose account?"),
        (("login", "--server", "http://127.0.0.1:1", "--username", "ada"), "nobody is there to type a password"),
        (("login", "--server", "http://127.0.0.1:1", "--username", "a", "--password-stdin"), "no password on stdin"),
        (("login", "--server", "http://127.0.0.1:1", "--username", "a", "--api-key-stdin"), "goes without --username"),
        (("login", "--server", "127.0.0.1"), "no address of a server"),
    ],
)
def test_what_is_missing_is_said_in_one_line(words: tuple[str, ...], said: str, typed: Any, finetune: Finetune) -> None:
    typed("")
    answer = finetune(*words)
    assert answer.status == 2
    assert said in answer.err.splitlines()[0]
    assert answer.err.splitlines()[1].startswith("  hint: ")


def test_credentials_that_others_can_read_are_not_sent(signed_in: ApiServer, home: Path, finetune: Finetune) -> None:
    (home / "credentials.json").chmod(0o644)
    answer = finetune("logout")
    assert answer.status == 1
    assert answer.err.startswith("error: others can read ")
