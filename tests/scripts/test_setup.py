"""`make setup` says in one sentence what a machine lacks. (That it installs is what every test here stands on.)"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """A fresh checkout, as far as the set-up reads it."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "environment.yml", "scripts/setup.sh"):
        target = tmp_path / "check out" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, target)
    return tmp_path / "check out"


def _make(checkout: Path, target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", target], cwd=checkout, env={**os.environ, **environment}, capture_output=True, text=True
    )


def _program(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_no_supported_python_is_one_sentence_and_creates_nothing(checkout: Path, tmp_path: Path) -> None:
    too_old = _program(tmp_path / "python3", "exit 1")
    result = _make(checkout, "setup", PYTHON=too_old)
    assert result.returncode != 0
    assert "error: no Python 3.11, 3.12 or 3.13 was found" in result.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_without_venv_names_the_package_to_install(checkout: Path, tmp_path: Path) -> None:
    bare = _program(tmp_path / "python3.12", 'case "$2" in *ensurepip*) exit 1 ;; esac')
    result = _make(checkout, "setup", PYTHON=bare)
    assert result.returncode != 0
    assert "python3.12-venv" in result.stderr
    assert not (checkout / ".venv").exists()


def test_a_machine_without_conda_is_sent_to_the_plain_environment(checkout: Path, tmp_path: Path) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("bash", "make", "dirname", "sh"):
        (path / name).symlink_to(shutil.which(name))
    result = _make(checkout, "setup-conda", PATH=str(path))
    assert result.returncode != 0
    assert "neither conda nor mamba was found" in result.stderr
    assert "make setup" in result.stderr


def test_what_a_person_types_reaches_the_recipe_as_it_is_and_nothing_in_it_runs(
    repository: Path, tmp_path: Path
) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text(
        f'include {repository / "Makefile"}\nshow:\n\t@printf \'%s\\n\' "$$text" "$$exp"\n', encoding="utf-8"
    )
    text = f"""it's $5, "cheap" $(shell touch {tmp_path}/made) `touch {tmp_path}/run` ; 好"""
    result = subprocess.run(
        ["make", "-f", str(makefile), "show", f"text={text}", "exp=a;b"], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == [text, "a;b"]
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "run").exists()
