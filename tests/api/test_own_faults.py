"""What the server itself is at fault for is answered without its paths and addresses, which its log has."""

import logging
import shutil
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from app.db.session import Database, make_engine
from app.main import create_app
from app.services.platform import Platform
from tests.api.conftest import ADDRESS
from tests.servers import free_port

SOMEBODY = {"username": "ada", "password": "a quiet river at dusk"}


def test_a_database_whose_directory_is_gone(
    platform: Platform, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    if platform.settings.database_url:
        pytest.skip("what is removed here is SQLite's file; the next test is about PostgreSQL")
    platform.installation.database.engine.dispose()
    shutil.rmtree(platform.settings.results_dir)
    answer = client.post("/login", json=SOMEBODY)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage.failed")
    assert str(platform.settings.results_dir) not in answer.text
    assert "sqlite" not in answer.text
    assert str(platform.settings.results_dir) in caplog.text
    assert answer.json()["request_id"] in caplog.text


def test_a_postgresql_that_does_not_answer(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    port = free_port()
    engine = make_engine(f"postgresql://somebody:a-secret@127.0.0.1:{port}/finetune_of_ours")
    unreachable = replace(platform.installation, database=Database(engine))
    app = create_app(replace(platform, installation=unreachable))
    client = TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)
    answer = client.post("/login", json=SOMEBODY)
    assert (answer.status_code, answer.json()["code"]) == (503, "database.unavailable")
    for inside in ("127.0.0.1", str(port), "somebody", "psycopg", "finetune_of_ours", "DATABASE_URL"):
        assert inside not in answer.text
    assert f"127.0.0.1:{port}" in caplog.text
    assert "a-secret" not in caplog.text
