"""Each command says the same of an installation whether it works on it here or over HTTP."""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.client.credentials import CredentialFile, Entry, Tokens
from app.settings import get_settings
from tests.api_runs import Runs
from tests.api_server import ApiServer

Finetune = Callable[..., Any]


@pytest.fixture
def runs(api_server: ApiServer) -> Runs:
    """Three runs, one of them failed, with points."""
    runs = Runs(api_server.platform)
    for name, state in (("good-001", "SUCCESS"), ("bad-001", "FAILURE"), ("列-001", "SUCCESS")):
        made = runs.add(name if name.isascii() else "good-002", owner="ada", state=state, accuracy=0.9)
        runs.add_points(made, "step", range(1, 6), learning_rate=0.001)
    return runs


# ---- experiments ----


EXPERIMENTS = [
    ("list",),
    ("list", "--json"),
    ("list", "--where", "accuracy > 0.8 and state = SUCCESS", "--sort", "name", "--json"),
    ("list", "--limit", "1"),
    ("list", "--where", "accuracy > 2"),
    ("compare", "good-001", "bad-001"),
    ("compare", "good-001", "good-002", "bad-001", "--json"),
    ("export", "good-001", "--out", "-", "--format", "csv"),
    ("list", "--where", "acc > 1"),
    ("list", "--sort", "--accuracy"),
    ("compare", "good-001", "good-001"),
]


def test_experiments_are_the_same(both: Any, runs: Runs) -> None:
    for words in EXPERIMENTS:
        answer = both("experiments", *words)
        assert answer.out + answer.err, words


def test_one_experiment_is_the_same_but_for_its_place_on_the_disk(
    finetune: Finetune, there: Finetune, runs: Runs
) -> None:
    for words in (("show", "good-001"), ("export", "good-001", "--out", "-")):
        json_option = ("--json",) if words[0] == "show" else ()
        here = json.loads(finetune("experiments", *words, *json_option).out)
        over_http = json.loads(there("experiments", *words, *json_option).out)
        assert here.pop("dir").endswith("results/good-001")
        assert over_http.pop("dir") is None
        assert list(over_http.items()) == list(here.items())
    here, over_http = (run("experiments", "show", "bad-001").out for run in (finetune, there))
    assert _cells(over_http) == _cells(here)


def _cells(table: str) -> list[list[str]]:
    """The words of tables, without their borders and the row that says where the run lies."""
    rows = [line.split() for line in table.splitlines() if line[0] in "│┃" and "│ dir " not in line]
    return [[word for word in row if word not in "│┃"] for row in rows]


def test_an_archive_has_the_files_of_the_receipt_and_can_be_taken_in_elsewhere(
    there: Finetune, finetune: Finetune, runs: Runs, tmp_path: Path
) -> None:
    out = tmp_path / "good.zip"
    assert there("experiments", "export", "good-001", "--out", str(out)).out == f"{out}\n"
    names = zipfile.ZipFile(out).namelist()
    assert "good-001/receipt.json" in names
    assert "good-001/artifacts/final_model/adapter_model.safetensors" in names
    again = there("experiments", "export", "good-001", "--out", str(out))
    assert (again.status, again.err.splitlines()[0]) == (1, f"error: {out} exists already")


def test_an_unknown_experiment_is_wrong_usage_in_both_places(finetune: Finetune, there: Finetune, runs: Runs) -> None:
    for command in ("show", "delete"):
        here, over_http = finetune("experiments", command, "nope"), there("experiments", command, "nope")
        assert (here.status, over_http.status) == (2, 2)
        assert over_http.err.startswith("error: there is no experiment 'nope'\n  hint: ")


def test_an_experiment_is_given_away_and_deleted(
    there: Finetune, finetune: Finetune, runs: Runs, api_server: ApiServer
) -> None:
    api_server.account("user", "grace")
    there("experiments", "assign", "bad-001", "grace")
    assert json.loads(finetune("experiments", "show", "bad-001", "--json").out)["owner"] == "grace"
    answer = there("experiments", "delete", "bad-001")
    assert "run bad-001 on http://127.0.0.1:" in answer.out
    assert "give --yes to delete" in answer.out
    assert there("experiments", "delete", "bad-001", "--yes").out.startswith("deleted bad-001 (")
    assert finetune("experiments", "show", "bad-001").status == 2


def test_a_person_sees_what_is_theirs(finetune: Finetune, api_server: ApiServer, runs: Runs, be: Any) -> None:
    be("user", "eve")
    server = ("--server", api_server.address)
    assert finetune(*server, "experiments", "list", "--json").out == "[]\n"
    runs.share("good-001", "eve")
    found = json.loads(finetune(*server, "experiments", "list", "--json").out)
    assert [one["name"] for one in found] == ["good-001"]
    answer = finetune(*server, "users", "list")
    assert answer.status == 1
    assert answer.err.startswith("error: the role user may not do this")


def test_a_log_is_the_same(finetune: Finetune, there: Finetune, runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "results" / "good-001" / "logs.txt").write_text("步驟 1\r\nstep 2\nno end", encoding="utf-8")
    here, over_http = finetune("experiments", "logs", "good-001"), there("experiments", "logs", "good-001")
    assert over_http.out == here.out
    assert over_http.err.endswith("/logs\n")


# ---- accounts and audit ----


def test_accounts_are_the_same(both: Any, there: Finetune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"seven lanterns on the quay\n")))
    assert there("users", "create", "grace", "--password-stdin").out == "created grace (user)\n"
    assert there("users", "set-role", "grace", "viewer").out == "grace is viewer\n"
    assert there("users", "disable", "grace").out == "grace is disabled\n"
    assert "disabled" in both("users", "list").out
    found = json.loads(both("users", "list", "--json").out)
    assert [(one["username"], one["role"], one["disabled"]) for one in found] == [
        ("admin", "admin", False),
        ("grace", "viewer", True),
    ]


def test_the_audit_log_is_the_same(both: Any, there: Finetune, finetune: Finetune, tmp_path: Path) -> None:
    for option in ((), ("--json",)):
        assert "user.create" in both("audit", "list", "--action", "user.*", *option).out
    assert json.loads(there("audit", "verify", "--json").out)["ok"] is True
    head = finetune("audit", "checkpoint").out.strip()
    assert there("audit", "verify", "--expect", head).status == 0
    answer = there("audit", "verify", "--expect", f"{head.split(':')[0]}:{'0' * 64}")
    assert (answer.status, answer.out.splitlines()[0]) == (1, f"first bad id: {head.split(':')[0]}")
    words = ("audit", "export", "--action", "user.*", "--out")
    assert finetune(*words, "-").out == there(*words, "-").out != ""
    for kind in ("csv", "jsonl"):
        here, over_http = tmp_path / f"here.{kind}", tmp_path / f"there.{kind}"
        told = finetune(*words, str(here)).out
        assert there(*words, str(over_http)).out == told.replace("here.", "there.")
        assert over_http.read_bytes() == here.read_bytes()


def test_the_keys_of_a_configuration_are_the_same(both: Any) -> None:
    assert "training.learning_rate" in both("config", "schema").out
    assert json.loads(both("config", "schema", "--json").out)["title"] == "TrainConfig"


# ---- where a command works ----


def test_the_server_may_be_a_setting(
    finetune: Finetune, there: Finetune, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETUNE_SERVER", api_server.address)
    monkeypatch.setenv("RESULTS_DIR", "/nonexistent/results")
    get_settings.cache_clear()
    assert "admin" in finetune("users", "list").out
    answer = finetune("serve")
    assert answer.status == 2
    assert "works on this machine alone" in answer.err
    assert "give --server ''" in answer.err
    assert finetune("--server", "", "config", "show").status == 0


def test_nobody_is_told_how_to_sign_in(finetune: Finetune, api_server: ApiServer) -> None:
    answer = finetune("--server", api_server.address, "experiments", "list")
    assert answer.status == 1
    assert answer.err == (
        f"error: you are not signed in to {api_server.address}\n"
        f"  hint: sign in: finetune login --server {api_server.address}\n"
    )


def test_a_server_that_is_gone_is_named(finetune: Finetune, be: Any, tmp_path: Path) -> None:
    CredentialFile(get_settings().config_dir).put(
        "http://127.0.0.1:1", Entry(username="ada", tokens=Tokens.lasting("a", "b", 900))
    )
    answer = finetune("--server", "http://127.0.0.1:1", "experiments", "list")
    assert answer.status == 1
    assert answer.err.startswith("error: http://127.0.0.1:1 cannot be reached: ")
