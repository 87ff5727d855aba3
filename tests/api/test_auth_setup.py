"""The first administrator: whoever reads what the server printed at its first start, once."""

import re
import threading
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.db.tables import AuditEventRow, UserRow
from app.domain.principal import Caller, Role
from app.services import accounts
from app.services.first_administrator import MAX_CODES, offer_code
from app.services.platform import Platform

ADA = {"username": "ada", "password": "a quiet river at dusk"}


@pytest.fixture
def database_address(database_url: str) -> str:
    return database_url


def set_up(client: TestClient, code: str, **changes: Any) -> Any:
    return client.post("/setup", json={"code": code, **ADA, **changes})


def test_the_code_is_printed_when_the_server_starts_without_accounts(
    api: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    with TestClient(api, base_url="http://localhost") as client:
        printed = re.search(r"The code ([0-9a-f]{4}(?:-[0-9a-f]{4}){4}) makes", capsys.readouterr().err)
        assert printed
        answer = set_up(client, printed[1])
        assert answer.status_code == 201
        assert (answer.json()["username"], answer.json()["role"]) == ("ada", "admin")
        assert client.post("/login", json=ADA).status_code == 200
    with TestClient(api, base_url="http://localhost"):
        assert capsys.readouterr().err == "", "with an account there is nothing to set up"


def test_a_code_is_good_once(client: TestClient, platform: Platform) -> None:
    code = offer_code(platform)
    assert code
    assert set_up(client, code).status_code == 201
    again = set_up(client, code, username="eve")
    assert (again.status_code, again.json()["code"]) == (409, "setup.done")
    assert list((platform.settings.secrets_dir / "setup").iterdir()) == []


def test_a_code_ends_with_the_first_account_however_it_is_made(client: TestClient, platform: Platform) -> None:
    code = offer_code(platform)
    assert code
    accounts.create_user(platform, Caller(local_user="tests"), "grace", ADA["password"], Role.VIEWER)
    assert set_up(client, code).status_code == 409
    assert offer_code(platform) is None


def test_of_two_who_use_codes_at_once_one_becomes_administrator(client: TestClient, platform: Platform) -> None:
    codes = [offer_code(platform) or "" for _ in range(4)]
    statuses: list[int] = []

    def claim(number: int) -> None:
        statuses.append(set_up(client, codes[number], username=f"admin-{number}").status_code)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(statuses) == [201, 409, 409, 409]
    with platform.installation.database.read() as session:
        assert session.query(UserRow).count() == 1


def test_a_wrong_code_makes_nobody_and_is_recorded(client: TestClient, platform: Platform) -> None:
    offer_code(platform)
    wrong = ["x", "0000-0000-0000-0000-0000", "../../jwt.json", "\0", " ", "🙂", "0" * 200]
    for code in wrong:
        answer = set_up(client, code)
        assert (answer.status_code, answer.json()["code"]) == (401, "auth.code_invalid")
        assert answer.headers["www-authenticate"] == "Bearer"
    with platform.installation.database.read() as session:
        assert session.query(UserRow).count() == 0
        rows = [(row.action, row.outcome) for row in session.query(AuditEventRow)]
    assert rows == [("user.setup", "denied")] * len(wrong)


def test_without_an_offer_no_code_is_right(client: TestClient, platform: Platform) -> None:
    assert set_up(client, "").status_code == 422
    assert set_up(client, "setup").status_code == 401


def test_guessing_codes_is_limited(client: TestClient, platform: Platform) -> None:
    code = offer_code(platform)
    assert code
    assert [set_up(client, "guess").status_code for _ in range(51)] == [401] * 50 + [429]
    assert set_up(client, code).status_code == 429


def test_a_code_is_read_as_people_type_it(client: TestClient, platform: Platform) -> None:
    code = offer_code(platform)
    assert code
    assert set_up(client, f"  {code.upper().replace('-', '')} ").status_code == 201


def test_a_code_survives_a_password_that_will_not_do(client: TestClient, platform: Platform) -> None:
    code = offer_code(platform)
    assert code
    answer = set_up(client, code, password="ada")
    assert (answer.status_code, answer.json()["code"]) == (422, "password.weak")
    assert set_up(client, code).status_code == 201


def test_codes_are_kept_as_hashes_that_only_their_owner_reads_and_old_ones_end(
    client: TestClient, platform: Platform
) -> None:
    codes = [offer_code(platform) or "" for _ in range(MAX_CODES + 2)]
    folder = platform.settings.secrets_dir / "setup"
    files = list(folder.iterdir())
    assert len(files) == MAX_CODES
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    kept = " ".join(file.name + file.read_text() for file in files)
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    assert set_up(client, codes[-1]).status_code == 201
