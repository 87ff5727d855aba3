"""`python -m app.tools.analyze_metrics` over real run directories."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.events import EvalLogged, StepLogged
from app.runs.directory import RunDirectory, create_run
from app.runs.event_log import append_event
from app.tools.analyze_metrics import main, spark


def make_run(results_dir: Path, name: str, learned: float) -> RunDirectory:
    run = create_run(results_dir, name)
    run.config.write_text("experiment_name: test\n", encoding="utf-8")
    for number in range(1, 31):
        append_event(
            run.events,
            StepLogged(step=number, total_steps=30, epoch=number / 10, loss=1 / number, learning_rate=1e-3,
                       samples_per_second=10.0, tokens_per_second=100.0 if number == 7 else 900.0, eta_seconds=0.0),
        )  # fmt: skip
    for number, share in ((10, 0.8), (20, 1.0), (30, 0.9)):
        metrics = {"accuracy": learned * share, "loss": 1 - learned * share}
        append_event(run.events, EvalLogged(step=number, epoch=number / 10, train_seconds=1.0, metrics=metrics))
    return run


def test_runs_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path, "one", 0.9)
    make_run(tmp_path, "two", 0.5)

    assert main(["one", "two", "--results-dir", str(tmp_path)]) == 0

    printed = capsys.readouterr().out
    assert "accuracy 0.9000 at step 20" in printed
    assert "accuracy 0.5000 at step 20" in printed
    assert "steps 7-7 at 11 %" in printed


def test_json_has_the_curves_of_every_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path, "one", 0.9)

    assert main(["one", "--json", "--results-dir", str(tmp_path)]) == 0

    (found,) = json.loads(capsys.readouterr().out)
    assert (found["run"], found["best_step"]) == ("one", 20)
    assert len(found["steps"]) == 30
    assert [point["metrics"]["accuracy"] for point in found["evaluations"]] == pytest.approx([0.72, 0.9, 0.81])


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    make_run(tmp_path, "one", 0.9)
    picture = tmp_path / "curves.png"

    assert main(["one", "--png", str(picture), "--results-dir", str(tmp_path)]) == 0

    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_run_that_reported_nothing_yet_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_run(tmp_path, "new").config.write_text("experiment_name: new\n", encoding="utf-8")

    assert main(["new", "--results-dir", str(tmp_path), "--png", str(tmp_path / "new.png")]) == 0

    assert "not finished" in capsys.readouterr().out


def test_a_run_may_be_named_by_its_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path, "one", 0.9)

    assert main([str(run.path)]) == 0

    assert "accuracy 0.9000" in capsys.readouterr().out


def test_an_unknown_run_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    make_run(tmp_path, "reviews-001", 0.9)
    command = [sys.executable, "-m", "app.tools.analyze_metrics", "reviews-01", "--results-dir", str(tmp_path)]

    answer = subprocess.run(command, capture_output=True, text=True)

    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    assert "no run 'reviews-01'" in answer.stderr
    assert "reviews-001" in answer.stderr


def test_a_picture_that_cannot_be_written_fails_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path, "one", 0.9)
    (tmp_path / "file").write_text("", encoding="utf-8")

    assert main(["one", "--png", str(tmp_path / "file" / "curves.png"), "--results-dir", str(tmp_path)]) == 1

    assert capsys.readouterr().err.startswith("error: cannot write")


def test_a_spark_runs_from_lowest_to_highest() -> None:
    assert spark([0.0, 0.5, 1.0]) == "▁▅█"
    assert spark([]) == "-"
    assert len(spark([float(k) for k in range(1000)])) <= 24
