"""The repository keeps its own rules: lock, layers, records, presets, continuous integration."""

import ast
import configparser
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from app.domain.base_models import CATALOG
from app.domain.train_config import TrainConfig
from app.settings import Settings

PYTHONS = ["3.11", "3.12", "3.13"]
PRESETS = ["default", "minilm", "distilbert", "roberta", "albert", "bert-base-chinese"]

OPTIONAL = {"pynvml": ["nvidia-ml-py"]}  # the `gpu` extra: which distribution brings a module that need not be here

# Which packages each forbidden contract must name, as soon as they exist.
CONTRACT_SOURCES = {
    "web": {"main", "api", "services", "tasks", "client", "ui"},
    "engine": {"train", "lora", "data", "domain", "monitor", "models", "runs"},
    "sql": None,  # all but db
    "light": {"data", "runs", "domain", "models", "monitor", "settings"},
}


def _project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _lock(repository: Path) -> list[Requirement]:
    lines = (repository / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def _modules_of_app(repository: Path) -> set[str]:
    packages = {path.parent.name for path in (repository / "app").glob("*/__init__.py")}
    return packages | {path.stem for path in (repository / "app").glob("*.py")} - {"__init__"}


# ---- lock ----


def test_the_lock_names_no_address(repository: Path) -> None:
    text = (repository / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|@|\bindex\b|find-links|\.(org|com|io|net)\b", text)


def test_the_lock_pins_one_exact_public_version_of_everything(repository: Path) -> None:
    loose = [str(pin) for pin in _lock(repository) if not re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier))]
    assert loose == []


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_gives_each_python_what_the_project_asks_for(repository: Path, python: str) -> None:
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    pins = {
        canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("=="))
        for pin in _lock(repository)
        if pin.marker is None or pin.marker.evaluate(environment)
    }
    project = _project(repository)
    asked = [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["dev"]]
    missing = [str(want) for want in asked if pins.get(canonicalize_name(want.name)) not in _Allowed(want)]
    assert missing == []


class _Allowed:
    """The versions a requirement allows, as a container in which None never is."""

    def __init__(self, want: Requirement) -> None:
        self.want = want

    def __contains__(self, version: Version | None) -> bool:
        return version is not None and version in self.want.specifier


def test_the_lock_installs_on_a_machine_without_cuda(repository: Path) -> None:
    names = {canonicalize_name(pin.name) for pin in _lock(repository)}
    assert [name for name in names if name.startswith(("nvidia", "cuda", "triton"))] == []
    assert [str(pin) for pin in _lock(repository) if pin.name == "torch"] == ["torch==2.13.0"]


def test_the_tools_of_the_tests_do_not_become_dependencies_of_the_product(repository: Path) -> None:
    tools = {"pytest", "pytest-xdist", "hypothesis", "ruff", "mypy", "import-linter", "pre-commit"}
    assert tools.isdisjoint(Requirement(line).name for line in _project(repository)["dependencies"])


def test_what_the_product_imports_is_what_it_depends_on(repository: Path) -> None:
    project = _project(repository)
    lines = project["dependencies"] + project["optional-dependencies"]["gpu"]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    installed = importlib.metadata.packages_distributions()
    tops = {name.partition(".")[0] for path in (repository / "app").rglob("*.py") for name in _imports(path)}
    third_party = tops - set(sys.stdlib_module_names) - {"app"}
    providers = {
        top: {canonicalize_name(name) for name in installed.get(top, OPTIONAL.get(top, []))} for top in third_party
    }
    assert sorted(top for top, names in providers.items() if declared.isdisjoint(names)) == []


# ---- layers ----


def test_every_module_of_the_house_is_named_by_the_contracts_of_its_layer(repository: Path) -> None:
    contracts = configparser.ConfigParser()
    contracts.read(repository / ".importlinter", encoding="utf-8")
    existing = _modules_of_app(repository)
    missing = []
    for contract, promised in CONTRACT_SOURCES.items():
        named = contracts[f"importlinter:contract:{contract}"]["source_modules"].split()
        expected = {f"app.{name}" for name in (existing - {"db"} if promised is None else existing & promised)}
        missing += [f"{contract}: {name}" for name in sorted(expected - set(named))]
    assert missing == []


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_domain_knows_only_pydantic_and_the_standard_library(repository: Path) -> None:
    allowed = set(sys.stdlib_module_names) | {"pydantic"}
    foreign = {
        name
        for path in (repository / "app" / "domain").glob("*.py")
        for name in _imports(path)
        if name.partition(".")[0] not in allowed and not name.startswith("app.domain")
    }
    assert foreign == set()


def _reads_environment(node: ast.AST) -> bool:
    """`os.getenv(...)`, `os.environ.get(...)`, `os.environ[...]`; handing `os.environ` on to a child is not reading."""
    match node:
        case ast.Attribute(value=ast.Name("os"), attr="getenv"):
            return True
        case ast.Attribute(value=ast.Attribute(value=ast.Name("os"), attr="environ"), attr="get"):
            return True
        case ast.Subscript(value=ast.Attribute(value=ast.Name("os"), attr="environ"), ctx=ast.Load()):
            return True
    return False


def test_only_the_settings_read_the_environment(repository: Path) -> None:
    readers = {
        path.relative_to(repository).as_posix()
        for path in (repository / "app").rglob("*.py")
        if any(map(_reads_environment, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
    }
    of_the_driver = {"app/monitor/system_metrics.py"}  # CUDA_VISIBLE_DEVICES, which is no setting of ours
    assert readers - of_the_driver <= {"app/settings.py"}


@pytest.mark.parametrize("package", ["data", "models", "runs"])
def test_no_ignore_rule_hides_a_package(repository: Path, package: str) -> None:
    command = ["git", "check-ignore", "--no-index", f"app/{package}/new_module.py"]
    assert subprocess.run(command, cwd=repository, capture_output=True).returncode == 1


# ---- configuration ----


def _preset(repository: Path, name: str) -> dict[str, Any]:
    return yaml.safe_load((repository / "config" / f"{name}.yaml").read_text(encoding="utf-8"))


def _leaves(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _leaves(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {prefix + key: inner}
    return flat


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_valid_and_its_data_is_there(repository: Path, name: str) -> None:
    config = TrainConfig.model_validate(_preset(repository, name))
    assert config.model.name in CATALOG
    assert (repository / config.data.train).is_file()
    assert config.data.test is None or (repository / config.data.test).is_file()


def test_the_presets_are_all_tested(repository: Path) -> None:
    assert sorted(PRESETS) == sorted(path.stem for path in (repository / "config").iterdir())


def test_the_default_configuration_lists_every_key_with_its_default(repository: Path) -> None:
    written, defaults = _leaves(_preset(repository, "default")), _leaves(TrainConfig().as_dict())
    assert list(written) == list(defaults)
    changed = {key for key in defaults if written[key] != defaults[key]}
    assert changed == {"experiment_name", "data.train", "data.test"}


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "default"])
def test_a_preset_says_only_what_differs(repository: Path, name: str) -> None:
    preset = _leaves(_preset(repository, name)) | ({"model.name": None} if name == "minilm" else {})
    defaults = _leaves(TrainConfig().as_dict())
    assert [key for key, value in preset.items() if value == defaults[key]] == []


def test_the_example_environment_lists_every_setting(repository: Path) -> None:
    text = (repository / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE)) == {name.upper() for name in Settings.model_fields}


# ---- environments and continuous integration ----


def test_conda_and_pip_agree_on_the_python_and_the_name(repository: Path) -> None:
    environment = yaml.safe_load((repository / "environment.yml").read_text(encoding="utf-8"))
    project = _project(repository)
    [python] = [line for line in environment["dependencies"] if line.startswith("python")]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(project["requires-python"])
    assert environment["name"] == project["name"]


def test_every_supported_python_is_declared_and_checked(repository: Path) -> None:
    project = _project(repository)
    supported = SpecifierSet(project["requires-python"])
    assert [minor for minor in range(8, 20) if f"3.{minor}.1" in supported] == [11, 12, 13]
    classifiers = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line]
    workflow = yaml.safe_load((repository / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert classifiers == workflow["jobs"]["check"]["strategy"]["matrix"]["python"] == PYTHONS


def test_continuous_integration_runs_what_a_developer_runs(repository: Path) -> None:
    workflow = yaml.safe_load((repository / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    script = repository / ".ci" / "run"
    assert {"run": ".ci/run"} in workflow["jobs"]["check"]["steps"]
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[-2:] == ["make check", "exec make test-servers-short"]
    planned = subprocess.run(["make", "-n", "check"], cwd=repository, capture_output=True, text=True).stdout
    for step in ("ruff format --check", "ruff check", "mypy", "lint-imports", "pytest -q"):
        assert step in planned


def test_pre_commit_uses_the_locked_tools(repository: Path) -> None:
    hooks = yaml.safe_load((repository / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    [local] = hooks["repos"]
    assert local["repo"] == "local"
    assert all(hook["entry"].startswith(".venv/bin/") for hook in local["hooks"])


# ---- decision records ----


def test_decision_records_are_numbered_and_whole(repository: Path) -> None:
    records = sorted((repository / "docs" / "decisions").iterdir())
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert text.startswith(f"# {record.name[:4]}. "), record.name
        assert re.search(r"^Status: (accepted|replaced by \d{4})$", text, re.MULTILINE), record.name
        parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences", "Alternatives", "Check"], record.name
