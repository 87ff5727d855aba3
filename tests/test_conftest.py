"""The shared assets are found where they are said to be, and a run of the tests ends with its count and reasons."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
def test_that_needs_assets(assets):
    assert (assets / "data").is_dir()

def test_that_needs_none():
    pass
"""


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """A checkout with two tests and our conftest.py."""
    tests = tmp_path / "home" / "checkout" / "tests"
    tests.mkdir(parents=True)
    shutil.copy(repository / "tests" / "conftest.py", tests)
    (tests / "test_two.py").write_text(TESTS, encoding="utf-8")
    return tests.parent


def _run_tests(repository: Path, checkout: Path, **environment: str) -> str:
    inherited = {key: value for key, value in os.environ.items() if key != "FINETUNE_TEST_ASSETS"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"],
        cwd=checkout,
        env={**inherited, "PYTHONPATH": str(repository), **environment},
        capture_output=True,
        text=True,
    ).stdout


def _make_assets(folder: Path) -> None:
    for name in ("data", "models"):
        (folder / name).mkdir(parents=True)


def test_without_assets_a_test_that_needs_them_is_skipped_with_the_reason(repository: Path, checkout: Path) -> None:
    output = _run_tests(repository, checkout)
    assert "1 passed, 0 failed, 1 skipped" in output.splitlines()
    assert "the shared test assets are absent" in output


def test_the_folder_shared_beside_the_checkout_is_the_default(repository: Path, checkout: Path) -> None:
    _make_assets(checkout.parent / "shared")
    assert "2 passed, 0 failed, 0 skipped" in _run_tests(repository, checkout).splitlines()


def test_a_variable_names_another_folder(repository: Path, checkout: Path, tmp_path: Path) -> None:
    _make_assets(tmp_path / "elsewhere")
    output = _run_tests(repository, checkout, FINETUNE_TEST_ASSETS=str(tmp_path / "elsewhere"))
    assert "2 passed, 0 failed, 0 skipped" in output.splitlines()


def test_no_other_test_knows_where_the_assets_are(repository: Path) -> None:
    knowing = {
        path.name
        for path in (repository / "tests").rglob("*.py")
        if "FINETUNE_TEST_ASSETS" in path.read_text(encoding="utf-8")
    }
    assert knowing == {"conftest.py", "test_conftest.py"}
