"""What a user may type, send and find, and whether it is there yet.

What is delivered must exist and run; what is not must not exist, so that this list cannot go stale. Whoever delivers
a promise changes its line.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

DELIVERED, LATER = True, False

MAKE_TARGETS = {
    "help": DELIVERED,
    "setup": DELIVERED,
    "setup-conda": DELIVERED,
    "run-local": DELIVERED,
    "logs-local": DELIVERED,
    "test": DELIVERED,
    "test-v": DELIVERED,
    "check": DELIVERED,
    "bench": DELIVERED,
    "db-list": DELIVERED,
    "serve": DELIVERED,
    "predict-health": DELIVERED,
    "predict-text": DELIVERED,
    "predict-positive": DELIVERED,
    "predict-negative": DELIVERED,
    "start": DELIVERED,
    "demo": DELIVERED,
    "stop": DELIVERED,
    "start-services": LATER,
    "stop-services": LATER,
    "k8s-quick-deploy": LATER,
    "k8s-port-forward": LATER,
}

COMMANDS = {
    "train": DELIVERED,
    "plan": DELIVERED,
    "config show": DELIVERED,
    "config schema": DELIVERED,
    "data validate": DELIVERED,
    "data profile": DELIVERED,
    "data add": DELIVERED,
    "data list": DELIVERED,
    "data show": DELIVERED,
    "data diff": DELIVERED,
    "data label-errors": DELIVERED,
    "experiments list": DELIVERED,
    "experiments show": DELIVERED,
    "experiments compare": DELIVERED,
    "experiments analyze": DELIVERED,
    "experiments export": DELIVERED,
    "experiments verify": DELIVERED,
    "experiments import": DELIVERED,
    "experiments assign": DELIVERED,
    "experiments delete": DELIVERED,
    "models list": LATER,
    "models show": LATER,
    "models register": LATER,
    "models alias": LATER,
    "models share": LATER,
    "models recommend": LATER,
    "models export": LATER,
    "models push": LATER,
    "models pull": LATER,
    "predict": DELIVERED,
    "serve": DELIVERED,
    "start": DELIVERED,
    "api": DELIVERED,
    "worker": DELIVERED,
    "ui": DELIVERED,
    "checkpoints list": DELIVERED,
    "checkpoints prune": DELIVERED,
    "users create": DELIVERED,
    "users list": DELIVERED,
    "users disable": DELIVERED,
    "login": DELIVERED,
    "logout": DELIVERED,
    "audit verify": DELIVERED,
    "audit export": DELIVERED,
    "doctor": LATER,
}

OPTIONS = {
    "train": (
        "--data --eval-data --test-data --text-column --label-column --base-model --name --set --allow --plan "
        "--resume --yes --json"
    ),
    "plan": "--data --eval-data --test-data --text-column --label-column --base-model --set --allow --yes --json",
    "data validate": "--allow --block --json",
    "predict": "--run --file --out --json",
    "serve": "--run --port",
    "login": "--server --username --password-stdin --api-key-stdin --insecure-http",
    "logout": "--server",
    "experiments list": "--where --json",
    "experiments show": "--json",
    "experiments compare": "--json",
    "config show": "--json",
}

MODULES = {
    "app.train": DELIVERED,
    "app.tools.analyze_metrics": DELIVERED,
    "app.tools.checkpoint_manager": DELIVERED,
    "app.inference_api": DELIVERED,
    "app.main": DELIVERED,
    "app.client": DELIVERED,
    "app.ui": DELIVERED,
    "app.tasks": DELIVERED,
    "app.auth": DELIVERED,
}

FILES = {
    "README.md": DELIVERED,
    "README.zh-TW.md": DELIVERED,
    "LICENSE": DELIVERED,
    "CONTRIBUTING.md": DELIVERED,
    "SECURITY.md": DELIVERED,
    "CHANGELOG.md": DELIVERED,
    "environment.yml": DELIVERED,
    "requirements.lock": DELIVERED,
    ".env.example": DELIVERED,
    "train_lora_v2.py": DELIVERED,
    "config/default.yaml": DELIVERED,
    "config/minilm.yaml": DELIVERED,
    "config/distilbert.yaml": DELIVERED,
    "config/roberta.yaml": DELIVERED,
    "config/albert.yaml": DELIVERED,
    "config/bert-base-chinese.yaml": DELIVERED,
    "examples/reviews_train.csv": DELIVERED,
    "examples/reviews_test.csv": DELIVERED,
    "examples/reviews_zh_tw.csv": DELIVERED,
    "examples/reviews_with_mistakes.csv": DELIVERED,
    "benchmarks/cli_start.py": DELIVERED,
    "benchmarks/train_speed.py": DELIVERED,
    "k8s": LATER,
}

# What create_app() of each service is given here: only the declarations are read, so nothing needs to be loaded.
SERVICES = {"app.inference_api": (None,), "app.main": ()}

ENDPOINTS = {
    ("app.inference_api", "post", "/predict"): DELIVERED,
    ("app.inference_api", "post", "/explain"): DELIVERED,
    ("app.inference_api", "get", "/health"): DELIVERED,
    ("app.main", "post", "/predict"): DELIVERED,
    ("app.main", "post", "/explain"): DELIVERED,
    ("app.main", "post", "/login"): DELIVERED,
    ("app.main", "post", "/train"): DELIVERED,
    ("app.main", "get", "/task/{task_id}"): DELIVERED,
    ("app.main", "post", "/task/{task_id}/cancel"): DELIVERED,
    ("app.main", "get", "/task/{task_id}/logs"): DELIVERED,
    ("app.main", "get", "/task/{task_id}/metrics"): DELIVERED,
    ("app.main", "get", "/task/{task_id}/events"): DELIVERED,
    ("app.main", "get", "/tasks"): DELIVERED,
    ("app.main", "get", "/experiments"): DELIVERED,
    ("app.main", "get", "/me/experiments"): DELIVERED,
    ("app.main", "get", "/experiments/{name}"): DELIVERED,
    ("app.main", "get", "/experiments/compare"): DELIVERED,
    ("app.main", "get", "/audit/logs"): DELIVERED,
    ("app.main", "post", "/datasets"): DELIVERED,
    ("app.main", "get", "/health"): DELIVERED,
    ("app.main", "get", "/ready"): DELIVERED,
    ("app.main", "get", "/metrics"): DELIVERED,
}


def _with(promises: dict, delivered: bool) -> list:
    return [what for what, is_there in promises.items() if is_there is delivered]


def _make(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=repository, capture_output=True, text=True)


def _help(command: str) -> tuple[int, str]:
    from app.cli.main import app

    result = CliRunner().invoke(app, [*command.split(), "--help"], terminal_width=300)
    return result.exit_code, result.output


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("target", _with(MAKE_TARGETS, DELIVERED))
def test_a_delivered_make_target_can_be_made_and_is_in_the_help(repository: Path, target: str) -> None:
    assert _make(repository, "-n", target).returncode == 0
    assert f"make {target} " in _make(repository, "help").stdout


@pytest.mark.parametrize("target", _with(MAKE_TARGETS, LATER))
def test_a_later_make_target_does_not_exist_yet(repository: Path, target: str) -> None:
    assert "No rule to make target" in _make(repository, "-n", target).stderr


@pytest.mark.parametrize("command", _with(COMMANDS, DELIVERED))
def test_a_delivered_command_explains_itself(command: str) -> None:
    status, output = _help(command)
    assert status == 0
    assert f"finetune {command} " in output.replace("root ", "finetune ", 1)


@pytest.mark.parametrize("command", _with(COMMANDS, LATER))
def test_a_later_command_does_not_exist_yet(command: str) -> None:
    status, output = _help(command)
    assert status == 2
    assert "No such command" in output


@pytest.mark.parametrize("command", OPTIONS)
def test_a_command_has_the_options_it_promises(command: str) -> None:
    _, output = _help(command)
    assert [option for option in OPTIONS[command].split() if option not in output] == []


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_there_when_it_is_said_to_be(module: str) -> None:
    assert _is_there(module) is MODULES[module]


@pytest.mark.parametrize("tool", ["app.tools.analyze_metrics", "app.tools.checkpoint_manager"])
def test_a_tool_runs_as_a_module(repository: Path, tool: str) -> None:
    result = subprocess.run([sys.executable, "-m", tool, "--help"], cwd=repository, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "usage" in result.stdout.lower()


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_there_when_it_is_said_to_be(repository: Path, file: str) -> None:
    assert (repository / file).exists() is FILES[file]


def test_the_users_own_name_for_training_explains_itself(repository: Path) -> None:
    command = [sys.executable, "train_lora_v2.py", "--help"]
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "--base-model" in result.stdout


@pytest.mark.parametrize("promise", ENDPOINTS, ids=" ".join)
def test_an_endpoint_is_declared_when_it_is_said_to_be(promise: tuple[str, str, str]) -> None:
    module, method, path = promise
    declared = {}
    if _is_there(module):
        declared = importlib.import_module(module).create_app(*SERVICES[module]).openapi()["paths"]
    assert (method in declared.get(path, {})) is ENDPOINTS[promise]
