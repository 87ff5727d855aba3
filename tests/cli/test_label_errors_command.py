"""`finetune data label-errors` on labels flipped on purpose."""

import contextlib
import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from tests.cli.conftest import Answer


def _flipped(assets: Path, to: Path) -> set[int]:
    """Three BANKING77 intents with one label in twenty exchanged; the rows (from 1) that were."""
    with (assets / "data" / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    names = ["card_arrival", "exchange_rate", "lost_or_stolen_card"]
    rows = [row for row in rows if row[1] in names]
    generator = random.Random(3)
    generator.shuffle(rows)
    flipped = set(generator.sample(range(1, len(rows) + 1), len(rows) // 20))
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number, (text, label) in enumerate(rows, 1):
            other = names[(names.index(label) + 1) % 3]
            writer.writerow([text, other if number in flipped else label])
    return flipped


def test_flipped_labels_come_first_with_the_label_they_had(assets: Path, tmp_path: Path) -> None:
    flipped = _flipped(assets, tmp_path / "rows.csv")
    result = CliRunner().invoke(app, ["data", "label-errors", str(tmp_path / "rows.csv"), "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)["suspects"]
    assert len(flipped) == 17
    assert len({one["row"] for one in found[:10]} & flipped) >= 9
    assert len({one["row"] for one in found} & flipped) >= 12
    assert all(one["given"] != one["suggested"] and 0 < one["confidence"] <= 1 for one in found)


def test_a_table_is_shown_and_progress_goes_to_stderr(repository: Path) -> None:
    file = repository / "examples" / "reviews_train.csv"
    result = CliRunner().invoke(app, ["data", "label-errors", str(file), "--limit", "3"])
    assert result.exit_code == 0
    assert "rows" in result.stdout.splitlines()[0]
    assert "by cross-validation on TF-IDF and embeddings of minilm" in result.stdout
    assert result.stderr == "" or "rows/s" in result.stderr


def test_a_file_with_one_label_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"a text number {n},same\n" for n in range(9)), encoding="utf-8")
    result = CliRunner().invoke(app, ["data", "label-errors", str(path)])
    assert result.exit_code != 0
    assert "fewer than two labels" in str(result.exception) + result.output


def _small(path: Path) -> Path:
    """Sixty rows of two kinds; rows 5 and 36 have the other's label."""
    kinds = [("a lovely sunny day number {} by the sea", "good"), ("the soup was cold and rude, visit {}", "bad")]
    rows = [(text.format(n), label) for text, label in kinds for n in range(30)]
    rows[4], rows[35] = (rows[4][0], "bad"), (rows[35][0], "good")
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    return path


def _labels(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["label"] for row in csv.DictReader(file)]


def test_a_review_is_left_taken_up_and_written_to_a_file(tmp_path: Path) -> None:
    source, out = _small(tmp_path / "rows.csv"), tmp_path / "mended.csv"
    command = ["data", "label-errors", str(source), "--base-model", "none", "--review", "--out", str(out)]
    first = CliRunner().invoke(app, command, input="x\nr nothing\nr ba\nq\n")
    assert first.exit_code == 0
    assert "is no label: bad, good" in first.stdout
    assert "nothing is written yet" in first.stdout
    assert not out.exists()
    second = CliRunner().invoke(app, command, input="r\nb\nr\n")
    assert second.exit_code == 0
    assert "1 are decided already" in second.stdout
    before, after = _labels(source), _labels(out)
    assert [row for row in range(60) if before[row] != after[row]] == [4, 35]
    with (tmp_path / "mended.csv.changes.csv").open(encoding="utf-8", newline="") as file:
        changes = [(int(row["row"]), row["action"], row["before"], row["after"]) for row in csv.DictReader(file)]
    assert changes == [(5, "relabel", "bad", "good"), (36, "relabel", "good", "bad")]
    again = CliRunner().invoke(app, [*command[:-1], str(tmp_path / "other.csv"), "--again"], input="")
    assert "decided already" not in again.stdout


def test_a_review_of_a_version_makes_the_next_one_with_the_same_splits(
    tmp_path: Path, finetune: Callable[..., Answer]
) -> None:
    source = _small(tmp_path / "rows.csv")
    assert finetune("data", "add", str(source), "--name", "mine").status == 0
    command = ["data", "label-errors", "mine@1", "--base-model", "none", "--review"]
    done = CliRunner().invoke(app, command, input="r\nd\n")
    assert done.exit_code == 0, done.output
    assert "stored as mine@2" in done.stdout
    difference = json.loads(finetune("data", "diff", "mine@1", "mine@2", "--json").out)
    assert (difference["num_relabelled"], difference["num_removed"], difference["num_added"]) == (1, 1, 0)
    assert difference["num_moved"] == 0
    shown = json.loads(finetune("data", "show", "mine@2", "--json").out)
    assert shown["rows"] == 59
    assert shown["profile"]["rows"] == 59
    assert shown["parent"] is not None
    left = CliRunner().invoke(app, ["data", "label-errors", "mine@2", "--base-model", "none", "--review"], input="")
    assert "nothing to change" in left.stdout or "nothing is written" in left.stdout


def test_a_review_that_keeps_everything_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "mended.csv"
    source = _small(tmp_path / "rows.csv")
    command = ["data", "label-errors", str(source), "--base-model", "none", "--review", "--out", str(out)]
    done = CliRunner().invoke(app, command, input="k\nk\n")
    assert "nothing to change" in done.stdout
    assert not out.exists()


def test_a_blocked_version_keeps_the_decisions(tmp_path: Path, finetune: Callable[..., Answer]) -> None:
    source = _small(tmp_path / "rows.csv")
    with source.open("a", encoding="utf-8") as file:
        file.write(",good\n")
    command = ["data", "label-errors", str(source), "--base-model", "none", "--review", "--name", "mine"]
    done = CliRunner().invoke(app, command, input="r\nr\n")
    assert done.exit_code != 0
    assert "empty_text" in str(done.exception)
    again = CliRunner().invoke(app, [*command[:-2], "--out", str(tmp_path / "mended.csv")], input="")
    assert "2 are decided already" in again.stdout
    assert (tmp_path / "mended.csv").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_person_at_a_terminal_can_review(tmp_path: Path) -> None:
    import pty

    source = _small(tmp_path / "rows.csv")
    out = tmp_path / "mended.csv"
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "app.cli", "data", "label-errors", str(source), "--base-model", "none", "--review"]
    with subprocess.Popen([*command, "--out", str(out)], stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        seen = b""
        for answer in (b"r\n", b"r\n"):
            while seen.count(b"k r d b w q ? >") < 1:
                seen += os.read(controller, 4096)
            seen = b""
            os.write(controller, answer)
        with contextlib.suppress(OSError):  # the terminal is gone when the program is
            while os.read(controller, 4096):
                pass
    os.close(controller)
    assert process.returncode == 0
    assert _labels(out).count("good") == 30
    assert _labels(out)[4] == "good"


def test_options_that_do_not_go_together_are_refused(tmp_path: Path, finetune: Callable[..., Answer]) -> None:
    source = str(_small(tmp_path / "rows.csv"))
    for options, said in (
        (["--review", "--json"], "do not go together"),
        (["--name", "x"], "go with --review"),
        (["--review", "--name", "x", "--out", str(tmp_path / "y.csv")], "not both"),
        (["--review", "--name", "../x"], "cannot be used"),
        (["--review", "--out", source], "exists already"),
    ):
        answer = finetune("data", "label-errors", source, *options)
        assert answer.status == 2 or "exists" in said
        assert said in answer.err


def test_a_review_stores_its_version_over_findings_that_were_allowed(
    finetune: Callable[..., Answer], tmp_path: Path
) -> None:
    source = _small(tmp_path / "rows.csv")
    source.write_text(source.read_text(encoding="utf-8") + "a fine and lovely day at the sea,Good\n", encoding="utf-8")
    command = ["data", "label-errors", "--review", "--base-model", "none"]
    refused = CliRunner().invoke(app, [*command, str(source)], input="d\n" * 10)
    assert refused.exit_code != 0
    assert "--allow label_variant" in str(refused.exception)
    allowed = CliRunner().invoke(app, [*command, str(source), "--allow", "label_variant"], input="")
    assert "stored as rows@1" in allowed.stdout
    assert finetune("data", "add", str(source), "--name", "kept", "--allow", "label_variant").status == 0
    of_a_version = CliRunner().invoke(app, [*command, "kept@1"], input="d\n" * 10)
    assert "stored as kept@2" in of_a_version.stdout
