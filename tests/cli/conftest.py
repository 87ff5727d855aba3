"""`finetune` as typed, in this process, with a stand-in for the engine where training itself is not the matter."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@pytest.fixture
def be(api_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`be(role, name)` signs this person in to `api_server` as a new account."""
    from app.client import Client
    from app.client.credentials import CredentialFile, Entry
    from app.settings import get_settings
    from tests.api_server import PASSWORD

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    get_settings.cache_clear()

    def enter(role: str = "admin", name: str | None = None) -> str:
        account = api_server.account(role, name)
        with Client(api_server.address) as client:
            tokens = client.sign_in(account, PASSWORD)
        file = CredentialFile(get_settings().config_dir)
        file.put(api_server.address, Entry(username=account, tokens=tokens))
        return account

    return enter


@pytest.fixture
def there(api_server: Any, be: Any, finetune: Callable[..., Answer]) -> Callable[..., Answer]:
    """`there(*words)` types a command with --server, as an administrator."""
    be("admin")
    return lambda *words: finetune("--server", api_server.address, *words)


@pytest.fixture
def both(there: Callable[..., Answer], finetune: Callable[..., Answer]) -> Callable[..., Any]:
    """`both(*words)` types a command here and there, and gives the answer once it is certain to be the same."""

    def ask(*words: str) -> Any:
        here, over_http = finetune(*words), there(*words)
        assert (over_http.out, over_http.err, over_http.status) == (here.out, here.err, here.status)
        return here

    return ask
