"""`--help` answers at once: nothing heavy is imported to print it."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "torch",
    "transformers",
    "peft",
    "datasets",
    "tokenizers",
    "pandas",
    "pyarrow",
    "numpy",
    "scipy",
    "sklearn",
    "matplotlib",
    "sqlalchemy",
    "alembic",
    "fastapi",
    "uvicorn",
    "httpx",
    "jinja2",
    "psutil",
}
NOUNS = ["train", "config", "data", "experiments", "predict", "serve", "checkpoints", "audit", "users", "keys"]
NOUNS += ["plan", "login", "logout", "start", "stop", "api", "ui", "worker"]

LIST_MODULES = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr))
from app.cli.main import main
main()
"""


@pytest.mark.parametrize(
    "arguments", [[], *([noun] for noun in NOUNS)], ids=lambda words: " ".join(words) or "finetune"
)
def test_help_loads_no_heavy_package(arguments: list[str]) -> None:
    command = [sys.executable, "-c", LIST_MODULES, *arguments, "--help"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout
    assert HEAVY.intersection(json.loads(result.stderr.splitlines()[-1])) == set()


def test_the_list_of_nouns_is_complete() -> None:
    import typer

    from app.cli.main import app

    assert sorted(typer.main.get_command(app).commands) == sorted(NOUNS)
