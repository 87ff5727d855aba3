"""Tables show what people wrote as they wrote it; a crash is one line whatever else is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.output import printable, show_error, show_table
from app.domain.errors import InvalidInput


@pytest.mark.parametrize("text", ["the [/INST] is bad", "[red]", "[/x]", ":smile: [link=a]b"])
def test_brackets_and_colons_are_shown_as_written(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_table((text, "n"), [(text, 1)], title=text)
    assert capsys.readouterr().out.count(text) == 3


STEERING = "a\x1b[31mb\x07\x9bc\u202ed\u2066e\x7f"
SHOWN = r"a\x1b[31mb\x07\x9bc\u202ed\u2066e\x7f"


def test_what_steers_a_terminal_is_shown_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    show_table((STEERING, "n"), [(STEERING, 1)])
    show_error(InvalidInput(STEERING, hint=STEERING))
    captured = capsys.readouterr()
    assert captured.out.count(SHOWN) == 2
    assert captured.err == f"error: {SHOWN}\n  hint: {SHOWN}\n"
    assert printable("臺灣\tä\n😀") == "臺灣\tä\n😀"


def test_labels_and_findings_cannot_steer_a_terminal(finetune: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    rows = [f"text number {n} of this file,{'good' if n % 10 else STEERING}" for n in range(40)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    answer = finetune("data", "validate", str(path))
    assert r"a\x1b[31mb" in answer.out
    assert not {"\x1b", "\x9b", "\u202e"} & set(answer.out + answer.err)


def test_ctrl_c_before_anything_has_begun_is_one_line(
    finetune: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("app.services.configuration.load_config", interrupted)
    answer = finetune("config", "show")
    assert (answer.status, answer.err) == (1, "stopped; nothing was begun\n")


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
