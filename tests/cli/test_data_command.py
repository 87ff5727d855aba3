import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main

GOOD = "text,label\n" + "".join(
    f"the {word} was {label} today,{label}\n" for word in ("food", "room", "staff") for label in ("fine", "awful")
)
TWO_LABELS = "text,rating,sentiment\n" + "".join(
    f"the {word} number {i} was as always,{i % 5},{'pos' if i % 2 else 'neg'}\n"
    for i, word in enumerate(("food", "room", "staff", "view") * 5)
)


def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["finetune", "data", "validate", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    output = capsys.readouterr()
    return int(caught.value.code or 0), output.out, output.err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `finetune data validate ...`; gives exit status, stdout, stderr."""
    return lambda *arguments: _run(monkeypatch, capsys, *map(str, arguments))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text(GOOD)
    return path


def test_a_good_file_exits_0_and_shows_how_it_was_read(run: Any, good: Path) -> None:
    status, out, _ = run(good)
    assert status == 0
    assert "good.csv: 6 rows, 2 labels" in out
    assert "column 'label' is named like a label" in out
    assert "50.0%" in out
    assert "ready for training" in out


def test_blocking_findings_exit_1_and_show_rows_and_fix(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(GOOD + ",fine\nnice indeed,Fine\n")
    status, out, _ = run(path)
    assert status == 1
    assert "error: empty_text: 1 row without text\n  rows: 7\n" in out
    assert "fix: write each label in one way" in out
    assert "not ready for training: empty_text, label_variant" in out


def test_a_file_is_read_as_the_options_say_and_what_cannot_be_is_refused_with_what_can(
    run: Any, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("".join(f"第{n}次很好吃;好\n第{n}次很難吃;壞\n" for n in range(6)).encode("cp950"))
    options = ("--format", "csv", "--encoding", "cp950", "--delimiter", "semicolon", "--no-quotes", "--no-header")
    status, out, _ = run(path, *options, "--json", "--base-model", "none")
    detected = json.loads(out)["detected"]
    assert status == 0
    assert [detected[name] for name in ("format", "encoding", "delimiter", "header")] == ["csv", "cp950", ";", False]
    assert detected["reasons"]["encoding"] == "that was asked for"
    status, _, said = run(path, "--delimiter", "tab")
    assert status != 0
    assert "there is not a tab in rows.csv" in said
    assert "a semicolon" in said
    status, _, said = run(path, "--encoding", "klingon")
    assert status != 0
    assert "--encoding: " in said
    assert "'cp950'" in said


def test_json_has_the_promised_keys(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(GOOD + "很好,\n", encoding="utf-8")
    status, out, _ = run(path, "--json")
    document = json.loads(out)
    assert status == 1
    assert list(document) == ["file", "sha256", "rows", "ok", "detected", "labels", "findings"]
    assert document["ok"] is False
    assert document["rows"] == 7
    assert document["labels"] == {"awful": 3, "fine": 3}
    promised = {"format", "encoding", "delimiter", "header", "text_column", "label_column"}
    assert promised <= set(document["detected"])
    (finding,) = document["findings"]
    assert list(finding) == ["code", "severity", "message", "cost", "fix", "count", "rows", "examples", "said"]
    assert (finding["code"], finding["rows"], finding["examples"]) == ("missing_label", [7], ["很好"])


def test_eval_and_test_files_are_held_against_the_training_file(run: Any, good: Path, tmp_path: Path) -> None:
    other = tmp_path / "eval.csv"
    other.write_text("text,label\nthe soup was so so,middling\n")
    status, out, _ = run(good, "--eval-data", other, "--test-data", good, "--json")
    document = json.loads(out)
    assert status == 1
    assert document["ok"] is True
    assert document["eval"]["findings"][0]["code"] == "unknown_label"
    assert document["test"]["findings"][0]["code"] == "leakage"


def test_allow_and_block_change_what_blocks(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(GOOD + ",fine\n")
    assert run(path)[0] == 1
    assert run(path, "--allow", "empty_text")[0] == 0
    path.write_text(GOOD + "the food was fine today,fine\n")
    assert run(path)[0] == 0
    assert run(path, "--block", "duplicate")[0] == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.csv", None, "does not exist"),
        ("empty.csv", b"", "is empty"),
        ("binary.csv", bytes(range(256)) * 10, "binary file"),
        ("header.csv", b"text,label\n", "no rows"),
    ],
)
def test_what_cannot_be_read_exits_2_with_one_line_and_a_hint(
    run: Any, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    status, out, err = run(tmp_path / name)
    assert status == 2
    assert out == ""
    first, hint = err.splitlines()
    assert first.startswith("error: ")
    assert name in first
    assert said in first
    assert hint.startswith("  hint: ")


def test_several_files_of_a_class_each_are_one_source_as_a_pattern_is(run: Any, tmp_path: Path) -> None:
    for label in ("fine", "awful"):
        (tmp_path / f"{label}.txt").write_text("".join(f"the {word} was {label}\n" for word in ("food", "room", "bed")))
    given = json.loads(run(tmp_path / "fine.txt", tmp_path / "awful.txt", "--json")[1])
    assert (given["labels"], given["detected"]["format"]) == ({"awful": 3, "fine": 3}, "class files")
    for pattern in ("*.txt", "{fine,awful}.txt"):
        status, out, _ = run(tmp_path / pattern, "--json")
        assert (status, json.loads(out)["sha256"]) == (0, given["sha256"])


def test_several_tables_are_wrong_usage(run: Any, good: Path) -> None:
    other = good.with_name("other.csv")
    other.write_text(GOOD)
    status, _, err = run(good, other)
    assert status == 2
    assert "give one of the files: good.csv, other.csv" in err


def test_an_empty_name_is_wrong_usage(run: Any) -> None:
    status, out, err = run("")
    assert (status, out) == (2, "")
    assert "its name is empty" in err


def test_a_sheet_is_named_behind_the_file(run: Any, tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for title in ("one", "two"):
        sheet = book.create_sheet(title)
        for line in GOOD.splitlines():
            sheet.append(line.split(","))
    book.save(tmp_path / "rows.xlsx")
    status, _, err = run(tmp_path / "rows.xlsx")
    assert status == 2
    assert "rows.xlsx#one" in err
    assert run(f"{tmp_path / 'rows.xlsx'}#two")[0] == 0


def test_a_directory_exits_2(run: Any, tmp_path: Path) -> None:
    status, _, err = run(tmp_path)
    assert status == 2
    assert "folder without files" in err


def test_an_unknown_code_exits_2_and_names_the_nearest(run: Any, good: Path) -> None:
    status, _, err = run(good, "--allow", "empty_txt")
    assert status == 2
    assert "did you mean empty_text?" in err


def test_a_missing_column_exits_1_and_names_the_nearest(run: Any, good: Path) -> None:
    status, out, _ = run(good, "--text-column", "txt")
    assert status == 1
    assert "there is no column 'txt'" in out
    assert "did you mean 'text'?" in out


def test_off_a_terminal_ambiguous_columns_exit_2_and_name_the_choices_and_the_flag(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(TWO_LABELS)
    status, _, err = run(path)
    assert status == 2
    assert "'rating'" in err
    assert "'sentiment'" in err
    assert "--label-column" in err
    assert run(path, "--label-column", "rating")[0] == 0


def test_on_a_terminal_the_person_is_asked_and_may_answer_by_number(tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(TWO_LABELS)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "app.cli", "data", "validate", str(path)]
    with subprocess.Popen(
        command, cwd=repository, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True
    ) as process:
        os.close(theirs)
        os.write(ours, b"9\n2\n")
        out, _ = process.communicate(timeout=120)
    seen = b""
    with contextlib.suppress(OSError):  # raised at the end of what a terminal that is gone has shown
        while part := os.read(ours, 65536):
            seen += part
    os.close(ours)
    asked = seen.decode()
    assert process.returncode == 0
    assert "could be the label" in asked
    assert "2  sentiment" in asked
    assert "'9' is none of them" in asked
    assert "sentiment" in out
    assert "50.0%" in out


def test_the_command_module_loads_nothing_heavy(repository: Path) -> None:
    heavy = ["pydantic", "pyarrow", "datasets", "pandas", "torch", "sqlalchemy"]
    code = f"import sys, app.cli.data; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_validation_loads_no_dataframe_or_model_packages(repository: Path, good: Path) -> None:
    heavy = ["pyarrow", "datasets", "pandas", "torch", "transformers"]
    code = (
        "import sys\nfrom app.data.prepare import check\nfrom app.domain.train_config import DataConfig\n"
        f"check(DataConfig(train={str(good)!r}))\nprint([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
