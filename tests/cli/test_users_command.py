"""`finetune users` and `finetune keys`, as typed."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db.tables import AuditEventRow
from app.domain.task import TaskKind
from app.main import create_app
from app.services.installation import open_installation
from app.services.platform import open_platform
from app.settings import get_settings

Finetune = Callable[..., Any]
PASSWORD = "a quiet river at dusk"


@pytest.fixture
def users(finetune: Finetune, monkeypatch: pytest.MonkeyPatch) -> Finetune:
    """`users("create", "ada", stdin=...)` runs `finetune users create ada` with that on its stdin."""

    def run(*words: str, stdin: bytes = b"") -> Any:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        return finetune("users", *words)

    return run


@pytest.fixture
def ada(users: Finetune) -> None:
    answer = users("create", "ada", "--role", "admin", "--password-stdin", stdin=PASSWORD.encode() + b"\n")
    assert (answer.status, answer.out, answer.err) == (0, "created ada (admin)\n", "")


class Silent:
    """A queue nothing is sent to here."""

    def send(self, task_id: str, kind: TaskKind) -> None:
        raise AssertionError(f"{kind} {task_id} was sent")

    def check(self) -> None:
        """It answers."""


def sign_in(password: str = PASSWORD) -> int:
    client = TestClient(create_app(open_platform(get_settings(), Silent())), base_url="http://localhost")
    return client.post("/login", json={"username": "ada", "password": password}).status_code


@pytest.mark.usefixtures("ada")
def test_the_first_administrator_made_here_signs_in_over_http_and_is_recorded() -> None:
    assert sign_in() == 200
    with open_installation(get_settings()).database.read() as session:
        row = session.query(AuditEventRow).order_by(AuditEventRow.id).first()
        assert row is not None
        assert (row.action, row.resource, row.details) == ("user.create", "user:ada", {"role": "admin"})
        assert row.actor.startswith("local:")


@pytest.mark.usefixtures("ada")
def test_accounts_are_listed_as_a_table_and_as_json(users: Finetune) -> None:
    shown = users("list").out
    assert "ada" in shown
    assert "active" in shown
    [found] = json.loads(users("list", "--json").out)
    assert (found["username"], found["role"], found["disabled"]) == ("ada", "admin", False)
    assert "hash" not in str(found)


def test_an_installation_without_accounts_says_how_to_begin(users: Finetune) -> None:
    assert "finetune users create" in users("list").out
    assert json.loads(users("list", "--json").out) == []


@pytest.mark.usefixtures("ada")
def test_an_account_is_disabled_enabled_and_given_a_role(users: Finetune) -> None:
    users("create", "grace", "--role", "admin", "--password-stdin", stdin=PASSWORD.encode())
    assert users("disable", "ada").out == "ada is disabled\n"
    assert users("enable", "ada").out == "ada is enabled\n"
    assert users("set-role", "ada", "viewer").out == "ada is viewer\n"
    [found, _] = json.loads(users("list", "--json").out)
    assert (found["role"], found["disabled"]) == ("viewer", False)


@pytest.mark.usefixtures("ada")
def test_the_last_administrator_is_neither_disabled_nor_demoted(users: Finetune) -> None:
    for words in [("disable", "ada"), ("set-role", "ada", "user")]:
        answer = users(*words)
        assert answer.status == 1
        assert "only administrator" in answer.err


@pytest.mark.usefixtures("ada")
def test_a_forgotten_password_is_replaced(users: Finetune) -> None:
    new = "seven lanterns on the quay"
    assert users("reset-password", "ada", "--password-stdin", stdin=new.encode()).status == 0
    assert (sign_in(), sign_in(new)) == (401, 200)


@pytest.mark.parametrize(
    ("words", "stdin", "status", "told"),
    [
        (("create", "bob", "--password-stdin"), b"", 2, "no password on stdin"),
        (("create", "bob", "--password-stdin"), b"\n", 2, "no password on stdin"),
        (("create", "bob", "--password-stdin"), b"caf\xe9 au lait", 2, "no UTF-8"),
        (("create", "bob", "--password-stdin"), b"short", 2, "fewer than 10"),
        (("create", "bob"), PASSWORD.encode(), 2, "--password-stdin"),
        (("create", "Bob", "--password-stdin"), PASSWORD.encode(), 2, "cannot be a user name"),
        (("create", "bob", "--role", "root", "--password-stdin"), PASSWORD.encode(), 2, "root"),
        (("disable", "nobody"), b"", 2, "no account 'nobody'"),
        (("set-role", "nobody", "admin"), b"", 2, "no account 'nobody'"),
        (("reset-password", "nobody", "--password-stdin"), PASSWORD.encode(), 2, "no account 'nobody'"),
    ],
    ids=str,
)
def test_wrong_usage_is_one_line_and_no_account(
    users: Finetune, words: tuple[str, ...], stdin: bytes, status: int, told: str
) -> None:
    answer = users(*words, stdin=stdin)
    assert answer.status == status
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert json.loads(users("list", "--json").out) == []


@pytest.mark.usefixtures("ada")
def test_a_name_that_is_taken_is_a_failure(users: Finetune) -> None:
    answer = users("create", "ada", "--password-stdin", stdin=PASSWORD.encode())
    assert answer.status == 1
    assert "'ada' already" in answer.err


def _type(words: list[str], *typed: str) -> tuple[int, str]:
    """Run `finetune` on a terminal of its own and answer each question as a person would."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "app.cli", *words]
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
    os.close(terminal)
    shown = ""
    for question, answer in zip(("password: ", "once more: "), typed, strict=True):
        while question not in shown:
            shown += os.read(controller, 1024).decode()
        os.write(controller, f"{answer}\n".encode())
    try:
        while more := os.read(controller, 1024):
            shown += more.decode()
    except OSError:  # what Linux says at the end of a terminal
        pass
    os.close(controller)
    return process.wait(120), shown


def test_on_a_terminal_a_password_is_asked_for_twice_and_not_shown() -> None:
    status, shown = _type(["users", "create", "ada"], PASSWORD, PASSWORD)
    assert status == 0, shown
    assert "created ada (user)" in shown
    assert PASSWORD not in shown
    status, shown = _type(["users", "create", "bob"], PASSWORD, PASSWORD + "!")
    assert status == 2
    assert "two different passwords" in shown


@pytest.mark.usefixtures("ada")
def test_a_key_is_rotated_without_signing_anybody_out(finetune: Finetune) -> None:
    platform = open_platform(get_settings(), Silent())
    client = TestClient(create_app(platform), base_url="http://localhost")
    before = client.post("/login", json={"username": "ada", "password": PASSWORD}).json()["access_token"]
    answer = finetune("keys", "rotate")
    assert (answer.status, answer.out.split()[0]) == (0, "key")
    assert client.get("/me", headers={"Authorization": f"Bearer {before}"}).status_code == 200
    assert platform.signing_keys.newest().key_id == answer.out.split()[1]


def test_a_key_of_the_environment_is_not_rotated_here(finetune: Finetune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "abcdefghij" * 4)
    answer = finetune("keys", "rotate")
    assert answer.status == 2
    assert "JWT_PREVIOUS_SECRETS" in answer.err
