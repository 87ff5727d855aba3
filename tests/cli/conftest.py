"""`finetune` as typed, in this process, with a stand-in for the engine where training itself is not the matter."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[1] / "services" / "stand_in_engine.py"


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def finetune(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """`finetune("experiments", "list")` runs the command line and gives exit status, stdout and stderr."""

    def run(*words: str, engine: str = "succeed") -> Answer:
        from app.cli.main import main

        monkeypatch.setattr("app.services.installation.ENGINE", (sys.executable, str(ENGINE), engine))
        monkeypatch.setattr(sys, "argv", ["finetune", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return Answer(int(caught.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A small labelled file nothing is wrong with."""
    path = tmp_path / "reviews.csv"
    good = [f"a fine and pleasant day number {n} at the sea" for n in range(30)]
    bad = [f"the soup was cold, the waiter rude, visit {n}" for n in range(30)]
    rows = [f'"{text}",good' for text in good] + [f'"{text}",bad' for text in bad]
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path
