"""Tables show what people wrote as they wrote it; a crash is one line whatever else is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.output import show_table


@pytest.mark.parametrize("text", ["the [/INST] is bad", "[red]", "[/x]", ":smile: [link=a]b"])
def test_brackets_and_colons_are_shown_as_written(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_table((text, "n"), [(text, 1)], title=text)
    assert capsys.readouterr().out.count(text) == 3


def test_an_env_file_that_is_not_utf8_is_named_with_its_line(
    finetune: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.settings import get_settings

    (tmp_path / ".env").write_bytes(b"SERVE_PORT=8002\nRESULTS_DIR=caf\xe9\n")
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    answer = finetune("experiments", "list")
    assert answer.status == 2
    assert answer.err.startswith("error: .env:2: ")
    assert "UTF-8" in answer.err


def test_a_crash_is_one_line_where_settings_are_wrong_too(
    finetune: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.settings import get_settings

    def crash(*_: object, **__: object) -> None:
        monkeypatch.setenv("SERVE_PORT", "abc")
        get_settings.cache_clear()
        raise RuntimeError("something nobody thought of")

    monkeypatch.setattr("app.services.configuration.load_config", crash)
    answer = finetune("config", "show")
    assert answer.status == 1
    assert answer.err.startswith("error: RuntimeError: something nobody thought of\n  hint: ")
