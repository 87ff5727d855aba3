"""Being somebody on a real server: sign-in, renewal, sign-out, keys; in one process and in several."""

import json
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.client import Client
from app.client.credentials import CredentialFile, Entry, Tokens
from app.client.retrying import NEVER
from app.client.sign_in import WithApiKey, WithTokens
from app.domain.audit import AuditFilter
from app.domain.errors import InvalidInput, NotFound, ServiceUnavailable, Unauthenticated
from app.domain.principal import Role
from app.schemas.users import UpdateUser
from app.services.first_administrator import offer_code
from tests.api_server import PASSWORD, ApiServer


def _rotations(api_server: ApiServer) -> list[int]:
    path = api_server.platform.settings.database_file
    with sqlite3.connect(path) as connection:
        found = [row[0] for row in connection.execute("SELECT rotations FROM login_sessions ORDER BY created_at")]
    connection.close()
    return found


def _expired(tokens: Tokens) -> Tokens:
    """The same sign-in with an access token the server will refuse."""
    return tokens.model_copy(update={"access_token": SecretStr("no.such.token")})


def test_a_password_signs_in_and_out(api_server: ApiServer) -> None:
    with api_server.signed_in("viewer", "ada") as client:
        me = client.me.show()
        assert (me.username, me.role) == ("ada", Role.VIEWER)
        kept = client.connection.sign_in
        client.sign_out()
        client.connection.sign_in = kept
        with pytest.raises(Unauthenticated) as caught:
            client.me.show()
    assert caught.value.hint == f"sign in: finetune login --server {api_server.address}"


def test_a_wrong_password_is_one_clear_error(api_server: ApiServer) -> None:
    api_server.account("user", "ada")
    with Client(api_server.address) as client, pytest.raises(Unauthenticated, match="name or the password") as caught:
        client.sign_in("ada", "something else")
    assert len(caught.value.request_id) == 32


def test_many_threads_with_an_expired_token_renew_it_once(api_server: ApiServer) -> None:
    together = threading.Barrier(8)
    with api_server.signed_in("user", "ada") as client:
        heard: list[Tokens] = []
        assert isinstance(client.connection.sign_in, WithTokens)
        client.connection.sign_in = WithTokens(_expired(client.connection.sign_in.tokens), heard.append)

        def ask(_number: int) -> str:
            together.wait(30)
            return client.me.show().username

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(8))) == ["ada"] * 8
    assert (len(heard), _rotations(api_server)) == (1, [1])


ASK = """
import sys, json
from pathlib import Path
from app.client import Client
from app.client.credentials import CredentialFile
print("ready", flush=True)
sys.stdin.readline()
with Client.of_file(sys.argv[1], CredentialFile(Path(sys.argv[2]))) as client:
    print(json.dumps(client.me.show().username))
"""


def test_processes_that_share_a_file_renew_once_and_stay_signed_in(api_server: ApiServer, tmp_path: Path) -> None:
    file = CredentialFile(tmp_path / "finetune")
    with Client(api_server.address) as client:
        tokens = client.sign_in(api_server.account("user", "ada"), PASSWORD)
    file.put(api_server.address, Entry(username="ada", tokens=_expired(tokens)))
    command = [sys.executable, "-c", ASK, api_server.address, str(file.folder)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in started]
    assert answers == ["ada"] * 3
    assert _rotations(api_server) == [1]


def test_a_sign_in_that_has_ended_is_not_asked_for_again_and_again(api_server: ApiServer, tmp_path: Path) -> None:
    file = CredentialFile(tmp_path / "finetune")
    with Client(api_server.address) as client:
        tokens = client.sign_in(api_server.account("user", "ada"), PASSWORD)
        file.put(api_server.address, Entry(username="ada", tokens=tokens))
        client.sign_out()
    with Client.of_file(api_server.address, file) as client, pytest.raises(Unauthenticated) as caught:
        client.me.show()
    assert "finetune login" in caught.value.hint
    assert _rotations(api_server) == [0]


def test_an_api_key_is_somebody_too(api_server: ApiServer) -> None:
    with api_server.signed_in("user", "ada") as client:
        made = client.api_keys.create("nightly")
        assert made.key is not None
        assert [(key.id, key.name) for key in client.api_keys.list()] == [(made.id, "nightly")]
        with Client(api_server.address, WithApiKey(SecretStr(made.key))) as program:
            assert program.me.show().username == "ada"
            client.api_keys.revoke(made.id)
            with pytest.raises(Unauthenticated):
                program.me.show()


def test_ones_own_account_is_changed(api_server: ApiServer) -> None:
    with api_server.signed_in("user", "ada") as client, Client(api_server.address) as elsewhere:
        elsewhere.sign_in("ada", PASSWORD)
        assert [session.current for session in client.me.sessions()].count(True) == 1
        [other] = [session.id for session in client.me.sessions() if not session.current]
        client.me.end_session(other)
        with pytest.raises(Unauthenticated):
            elsewhere.me.show()
        client.me.change_password(PASSWORD, "seven lanterns on the quay")
        elsewhere.sign_in("ada", "seven lanterns on the quay")
        elsewhere.sign_out(everywhere=True)
        with pytest.raises(Unauthenticated):
            client.me.show()


def test_an_administrator_keeps_accounts(api_server: ApiServer) -> None:
    with api_server.signed_in("admin") as client:
        made = client.users.create("ada", "a long enough password", Role.VIEWER)
        assert made == client.users.show("ada")
        assert [user.username for user in client.users.all()] == ["ada", "admin"]
        assert [user.username for user in client.users.all(role=Role.VIEWER)] == ["ada"]
        assert client.users.update("ada", UpdateUser(disabled=True)).disabled
        client.users.reset_password("ada", "seven lanterns on the quay")
        with pytest.raises(NotFound):
            client.users.show("nobody")
        with pytest.raises(InvalidInput, match="/username") as caught:
            client.users.create("NOT A NAME", PASSWORD)
        assert caught.value.code == "request.invalid"


def test_a_list_is_read_page_by_page_to_its_end(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.client.pages.PAGE_SIZE", 2)
    names = [api_server.account("user", f"user{number}") for number in range(5)]
    with api_server.signed_in("admin") as client:
        assert [user.username for user in client.users.all()] == ["admin", *names]
        resources = [f"user:user{number}" for number in range(4, 0, -1)]
        found = client.audit.all(AuditFilter(action="user.create", resource="user:user*"), at_most=4)
        assert [event.resource for event in found] == resources


def test_the_audit_log_is_read_exported_and_verified(api_server: ApiServer) -> None:
    with api_server.signed_in("admin") as client:
        with client.audit.export() as pieces:
            lines = b"".join(pieces).splitlines()
        assert [json.loads(line)["id"] for line in lines] == list(range(1, len(lines) + 1))
        assert client.audit.verify().ok


def test_whether_a_server_lives_is_asked_without_a_sign_in(api_server: ApiServer) -> None:
    with Client(api_server.address) as client:
        assert client.system.health().status == "ok"
        assert client.system.ready().checks["database"] == "ok"
        assert "finetune" in client.system.metrics()


def test_a_server_that_cannot_work_is_unavailable(api_server: ApiServer) -> None:
    api_server.queue.is_down = True
    with Client(api_server.address, retrying=NEVER) as client, pytest.raises(ServiceUnavailable):
        client.system.ready()


def test_the_first_administrator_is_made_with_the_code_of_the_server(api_server: ApiServer) -> None:
    code = offer_code(api_server.platform)
    assert code is not None
    with Client(api_server.address) as client:
        with pytest.raises(Unauthenticated):
            client.auth.setup("0000-0000-0000-0000-0000", "ada", PASSWORD)
        assert client.auth.setup(code, "ada", PASSWORD).role == Role.ADMIN
        client.sign_in("ada", PASSWORD)
