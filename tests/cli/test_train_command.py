"""`finetune train`, from options to exit status; the engine itself is a stand-in."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.cli.training import show_ended
from app.cli.training_local import ended
from app.domain.task import TaskState
from app.runs.directory import RunDirectory
from app.services.training import Outcome

Finetune = Callable[..., Any]
ENGINE = Path(__file__).parents[1] / "services" / "stand_in_engine.py"


def test_a_run_ends_with_its_result_and_three_lines_to_copy(finetune: Finetune, reviews: Path) -> None:
    answer = finetune("train", "--data", str(reviews), "--name", "mine")
    assert answer.status == 0, answer.err
    assert "60 rows, csv, utf-8, with header; text from 'text', labels from 'label'" in answer.out
    assert "75.0 % [60.0, 90.0]" in answer.out
    assert "passed: 100.00 % equal labels over 8 rows" in answer.out
    last = [line.strip() for line in answer.out.splitlines()[-3:]]
    assert last[0] == 'finetune predict --run mine "a sentence to classify"'
    assert last[1] == "finetune serve --run mine"
    assert last[2].endswith("mine/evaluation/report.html")


def test_json_is_the_only_line_on_stdout(finetune: Finetune, reviews: Path, tmp_path: Path) -> None:
    answer = finetune("train", "--data", str(reviews), "--json")
    run = tmp_path / "results" / "experiment-001"
    expected = {"run": "experiment-001", "dir": str(run), "state": "SUCCESS", "accuracy": 0.75}
    assert [json.loads(line) for line in answer.out.splitlines()] == [expected]
    assert "stage: training" in answer.err
    assert (run / "data_report.json").is_file()


def test_a_failed_run_says_why_in_one_line(finetune: Finetune, reviews: Path) -> None:
    answer = finetune("train", "--data", str(reviews), "--json", engine="fail")
    assert answer.status == 1
    assert json.loads(answer.out)["state"] == "FAILURE"
    assert "error: experiment-001 failed: the loss is not finite at step 3" in answer.err
    assert "Traceback" not in answer.err


def test_the_hint_of_the_engine_is_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detail = "the loss is not finite (step 3) (hint: lower training.learning_rate (now 1))"
    run = RunDirectory(tmp_path / "a")
    show_ended(ended(Outcome(run, TaskState.FAILURE, "run.diverged", detail, retryable=True, metrics={})), Console())
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "error: a failed: the loss is not finite (step 3)"
    assert lines[1].startswith("  hint: lower training.learning_rate (now 1); go on with `finetune train --resume a`; ")
    assert len(lines) == 2


def test_a_lost_run_says_how_to_go_on(finetune: Finetune, reviews: Path) -> None:
    answer = finetune("train", "--data", str(reviews), engine="vanish")
    assert answer.status == 1
    assert "ran out of memory" in answer.err
    assert "finetune train --resume experiment-001" in answer.err
    assert finetune("train", "--resume", "experiment-001").status == 0


def test_a_finished_run_cannot_be_resumed(finetune: Finetune, reviews: Path) -> None:
    finetune("train", "--data", str(reviews), "--name", "mine")
    answer = finetune("train", "--resume", "mine")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("error: run 'mine' is finished; there is nothing to resume\n  hint: ")
    assert "finetune train --plan" in answer.err


def test_a_name_that_is_used_is_refused_before_the_data_is_read(finetune: Finetune, reviews: Path) -> None:
    finetune("train", "--data", str(reviews), "--name", "mine")
    answer = finetune("train", "--data", "no-such-file.csv", "--name", "mine")
    assert answer.status == 1
    assert answer.err.startswith("error: a run named 'mine' exists already")


def test_going_on_with_an_empty_name_is_refused(finetune: Finetune) -> None:
    answer = finetune("train", "--resume", "")
    assert answer.status == 2
    assert answer.err.startswith("error: run name '' cannot be used")


@pytest.mark.parametrize("name", ["experiments.db", "experiments.db-wal", "cli-errors.log", "experiments.db.lock"])
def test_a_run_cannot_be_named_as_a_file_beside_it(name: str, finetune: Finetune, reviews: Path) -> None:
    answer = finetune("train", "--data", str(reviews), "--name", name)
    assert answer.status == 2
    assert f"run name '{name}' cannot be used" in answer.err


def test_data_that_is_missing_leaves_no_run_behind(finetune: Finetune, tmp_path: Path) -> None:
    answer = finetune("train", "--data", "no-such-file.csv")
    assert answer.status == 2
    assert "no-such-file.csv" in answer.err
    assert finetune("experiments", "list", "--json").out.strip() == "[]"
    assert not list((tmp_path / "results").glob("experiment-*"))


def test_without_data_the_option_is_named(finetune: Finetune) -> None:
    answer = finetune("train")
    assert answer.status == 2
    assert "--data FILE" in answer.err


def test_a_wrong_setting_is_refused_with_its_limits(finetune: Finetune, reviews: Path) -> None:
    answer = finetune("train", "--data", str(reviews), "--set", "lora.r=0", "--set", "training.learning_rate=-1")
    assert answer.status == 2
    assert "--set lora.r=0: lora.r: 0 is not allowed; expected a whole number above 0" in answer.err
    assert "--set training.learning_rate=-1" in answer.err


def test_a_results_directory_that_cannot_be_written_is_named(
    finetune: Finetune, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.settings import get_settings

    (tmp_path / "file").write_text("no directory")
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path / "file" / "results"))
    get_settings.cache_clear()
    answer = finetune("train", "--data", str(reviews))
    assert answer.status == 1
    assert answer.err.startswith(f"error: cannot write {tmp_path / 'file' / 'results'}")


@pytest.mark.parametrize(
    "words", [("--resume", "a", "--set", "lora.r=4"), ("--resume", "a", "--plan", "p"), ("--plan", "p", "--data", "d")]
)
def test_options_that_cannot_take_effect_together_are_refused(finetune: Finetune, words: tuple[str, ...]) -> None:
    assert finetune("train", *words).status == 2


def test_a_setting_without_effect_is_told(finetune: Finetune, reviews: Path) -> None:
    words = ("--set", "training.max_steps=3", "--set", "training.num_train_epochs=2")
    answer = finetune("train", "--data", str(reviews), *words)
    assert "warning: training.num_train_epochs has no effect" in answer.out


def test_off_a_terminal_an_ambiguous_column_is_an_error_with_the_choices(finetune: Finetune, tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    rows = [
        f"a long sentence about thing {n},another long sentence on {n},{'yes' if n % 2 else 'no'}" for n in range(40)
    ]
    path.write_text("text,sentence,label\n" + "\n".join(rows) + "\n")
    answer = finetune("train", "--data", str(path))
    assert answer.status == 2
    assert "'text'" in answer.err
    assert "'sentence'" in answer.err
    assert "--text-column" in answer.err
    assert finetune("train", "--data", str(path), "--text-column", "sentence").status == 0


COMMAND = """
import sys
import app.services.installation as installation
installation.ENGINE = (sys.executable, sys.argv.pop(1), sys.argv.pop(1))
from app.cli.main import main
main()
"""


class Terminal:
    """A `finetune train` on a terminal of its own."""

    def __init__(self, engine: str, *words: str) -> None:
        self.master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "110", "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-c", COMMAND, str(ENGINE), engine, "train", *words]
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self.shown = ""

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Read until `text` is on the screen."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                self.shown += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                break
        assert text in self.shown, self.shown

    def close(self) -> int:
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            os.close(self.master)


def test_ctrl_c_saves_and_stops_and_says_how_to_go_on(reviews: Path) -> None:
    terminal = Terminal("wait", "--data", str(reviews))
    terminal.wait_for("1/4")
    terminal.process.send_signal(signal.SIGINT)
    terminal.wait_for("finetune train --resume experiment-001")
    assert terminal.close() == 1
    assert "training" in terminal.shown
    assert "evaluating" in terminal.shown


def test_a_second_ctrl_c_stops_at_once(reviews: Path) -> None:
    terminal = Terminal("deaf", "--data", str(reviews))
    terminal.wait_for("1/4")
    terminal.process.send_signal(signal.SIGINT)
    terminal.wait_for("Ctrl-C again stops at once")
    terminal.process.send_signal(signal.SIGINT)
    terminal.wait_for("experiment-001 was stopped")
    assert terminal.close() == 1


def test_on_a_terminal_an_ambiguous_column_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    rows = [
        f"a long sentence about thing {n},another long sentence on {n},{'yes' if n % 2 else 'no'}" for n in range(40)
    ]
    path.write_text("text,sentence,label\n" + "\n".join(rows) + "\n")
    terminal = Terminal("succeed", "--data", str(path))
    terminal.wait_for("which column is the text")
    os.write(terminal.master, b"2\n")
    terminal.wait_for("text from 'sentence'")
    terminal.wait_for("report.html")
    assert terminal.close() == 0


def test_labels_texts_and_file_names_may_have_brackets(finetune: Finetune, tmp_path: Path) -> None:
    folder = tmp_path / "data [" / "b]:smile:"
    folder.mkdir(parents=True)
    path = folder / "[x] [red].csv"
    rows = [f"[/INST] text {'one' if n % 2 else 'two'} number {n},{'[/x]' if n % 2 else '[red]'}" for n in range(40)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    validated = finetune("data", "validate", str(path))
    assert validated.status == 0, validated.err
    assert "[/x]" in validated.out
    assert "[red]" in validated.out
    trained = finetune("train", "--data", str(path), "--name", "mine")
    assert trained.status == 0, trained.err
    assert str(path) in trained.out
    for words in (("list",), ("show", "mine")):
        shown = finetune("experiments", *words)
        assert shown.status == 0, shown.err
        assert "[red]" in shown.out


def test_allow_adds_to_the_findings_a_configuration_allows(finetune: Finetune, tmp_path: Path) -> None:
    config, data = tmp_path / "my.yaml", tmp_path / "few.csv"
    rows = [f"text {'one' if n % 2 else 'two'} number {n},{'a' if n % 2 else 'b'}" for n in range(40)]
    data.write_text("text,label\n" + "\n".join([*rows, ",a"]) + "\n", encoding="utf-8")
    config.write_text("data:\n  allow: [duplicate]\n", encoding="utf-8")
    answer = finetune("train", str(config), "--data", str(data), "--name", "mine", "--allow", "empty_text")
    assert answer.status == 0, answer.err
    shown = json.loads(finetune("experiments", "show", "mine", "--json").out)
    assert shown["config"]["data"]["allow"] == ["duplicate", "empty_text"]


def test_a_taken_name_offers_resume_only_where_that_can_help(finetune: Finetune, reviews: Path) -> None:
    for name, engine in (("good", "succeed"), ("diverged", "fail"), ("lost", "vanish")):
        finetune("train", "--data", str(reviews), "--name", name, engine=engine)
    hints = {
        name: finetune("train", "--data", str(reviews), "--name", name).err for name in ("good", "diverged", "lost")
    }
    assert ["--resume" in hint for hint in hints.values()] == [False, False, True]
    assert all("choose another --name" in hint for hint in hints.values())
