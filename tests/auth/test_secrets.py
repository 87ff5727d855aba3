"""Secrets: generated once for a person, and in production never missing, weak or a default."""

import json
import os
import socket
import subprocess
import sys

import pytest
from pydantic import SecretStr

from app.domain.errors import ConfigError, StorageError
from app.services.secrets import load_audit_key, load_secrets
from app.settings import Settings, get_settings

STRONG = "mK3vq9Zt0aXw7LrYb2NdHs5Pf8Gu1JcE4oTi6Qy"
OTHER = "pL9xR2kWv7Bn4Tz0Ms6Yd1Fh8Qc3Ug5JaEo7Ii"
THIRD = "Wq6Ns1Xe8Rb3Hk0Ly5Jf2Tm7Vc4Pz9Gd-uA_iOh"
SECRETS = ("JWT_SECRET", "AUDIT_SECRET", "METRICS_TOKEN")
LOAD = """
from app.services.secrets import load_secrets
from app.settings import get_settings
print(load_secrets(get_settings()).jwt_keys[0].key_id)
"""


def settings(**changes: str) -> Settings:
    secret = {name: SecretStr(value) for name, value in changes.items() if name != "environment"}
    return get_settings().model_copy(update=changes | secret)


def production(**changes: str) -> Settings:
    strong = {"jwt_secret": STRONG, "metrics_token": OTHER, "audit_secret": THIRD}
    return settings(**({"environment": "production"} | strong | changes))


def test_a_secret_that_is_not_given_is_generated_once_for_its_owner_alone() -> None:
    first, second = load_secrets(settings()), load_secrets(settings())
    assert first == second
    assert len(first.jwt_keys[0].secret) >= 48
    assert first.jwt_keys[0].secret != first.audit_key
    folder = get_settings().secrets_dir
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_processes_that_start_at_once_generate_the_same_secrets() -> None:
    command = [sys.executable, "-c", LOAD]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    assert len({process.communicate()[0] for process in processes}) == 1
    assert [process.returncode for process in processes] == [0] * 4


def test_strong_secrets_start_in_production() -> None:
    keys = load_secrets(production(jwt_previous_secrets=f"{OTHER}, {OTHER[::-1]}")).jwt_keys
    assert [key.secret.decode() for key in keys] == [STRONG, OTHER, OTHER[::-1]]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"jwt_secret": ""}, "JWT_SECRET is not set"),
        ({"jwt_secret": "secret"}, "JWT_SECRET has 6 characters, fewer than 32"),
        ({"jwt_secret": "changeme" * 4}, "JWT_SECRET has only 7 different characters"),
        ({"jwt_secret": "a" * 64}, "JWT_SECRET has only 1 different characters"),
        ({"audit_secret": ""}, "AUDIT_SECRET is not set"),
        ({"audit_secret": "x" * 40}, "AUDIT_SECRET has only 1 different characters"),
        ({"metrics_token": ""}, "METRICS_TOKEN is not set"),
        ({"metrics_token": "x"}, "METRICS_TOKEN has 1 characters"),
        ({"jwt_previous_secrets": f"{OTHER},old"}, "JWT_PREVIOUS_SECRETS, number 2, has 3 characters"),
    ],
    ids=str,
)
def test_a_missing_or_weak_secret_stops_a_production_start(changes: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_secrets(production(**changes))
    assert caught.value.code == "config.weak_secret"
    assert told in caught.value.message
    given = [value for value in changes.values() if len(value) > 6]
    assert not any(value in str(caught.value) for value in given), "a secret is not repeated"


def test_all_that_is_wrong_is_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        load_secrets(production(jwt_secret="", metrics_token=""))
    assert caught.value.message == "ENVIRONMENT=production: JWT_SECRET is not set; METRICS_TOKEN is not set"


def test_no_command_makes_a_key_of_the_audit_log_in_production() -> None:
    with pytest.raises(ConfigError, match="AUDIT_SECRET is not set"):
        load_audit_key(production(audit_secret=""))
    assert not (get_settings().secrets_dir / "audit.json").exists()


def test_the_server_itself_does_not_start_in_production_without_secrets() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = subprocess.run(
            [sys.executable, "-m", "app.main", str(listening.fileno())],
            env={**environment, "ENVIRONMENT": "production"},
            pass_fds=[listening.fileno()],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ended.returncode == 1
    missing = "; ".join(f"{name} is not set" for name in SECRETS)
    assert ended.stderr.startswith(f"error: ENVIRONMENT=production: {missing}")
    assert "Traceback" not in ended.stderr


def test_previous_secrets_without_a_present_one_are_refused() -> None:
    with pytest.raises(ConfigError, match="JWT_PREVIOUS_SECRETS has no effect"):
        load_secrets(settings(jwt_previous_secrets=STRONG))


@pytest.mark.parametrize("content", ["", "{}", "[]", "[5]", '"text"'])
def test_a_damaged_file_of_secrets_stops_the_start(content: str) -> None:
    load_secrets(settings())
    (get_settings().secrets_dir / "jwt.json").write_text(content)
    with pytest.raises(StorageError, match=r"jwt\.json"):
        load_secrets(settings())


def test_secrets_are_not_shown_by_accident() -> None:
    secrets = load_secrets(settings())
    [stored] = json.loads((get_settings().secrets_dir / "jwt.json").read_text())
    assert stored not in repr(secrets)
    assert STRONG not in repr(production())
