"""Starting, stopping, losing and resuming runs, with a stand-in engine at the process border."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.db.repositories import experiments, metrics
from app.domain.data_report import DataIdentity, DataReport
from app.domain.errors import ConfigError, Conflict, InvalidInput, StorageError
from app.domain.events import Event, StageChanged, StepLogged
from app.domain.plan import BaseModelFacts, DatasetProfile, Hardware, TokenFacts, TrainingPlan, make_plan
from app.domain.task import Stage, TaskState
from app.domain.train_config import TrainConfig
from app.runs.directory import RunDirectory, create_numbered_run
from app.runs.event_log import append_event, read_events
from app.runs.files import write_json
from app.runs.lock import run_lock
from app.services import training
from app.services.installation import Installation, open_installation
from app.services.lost_runs import mark_lost_runs
from app.services.supervisor import StopRequest
from app.services.training import Interface
from app.settings import Settings

MakeInstallation = Callable[[str], Installation]
CONFIG = TrainConfig.model_validate({"experiment_name": "reviews", "data": {"train": "reviews.csv"}})
REPORT = DataReport(
    identity=DataIdentity(
        name="reviews.csv", version="a" * 64, labels=["no", "yes"], num_train=8, num_eval=2, num_test=0,
        train_label_counts=[4, 4],
    ),
    reports={},
)  # fmt: skip


def watcher(stop: StopRequest, heard: list[Event], ask_at_step: int = 0) -> Interface:
    def event(event: Event) -> None:
        heard.append(event)
        if isinstance(event, StepLogged) and event.step == ask_at_step:
            stop.ask()

    return Interface(began=lambda run: None, event=event, stop=stop)


def start(installation: Installation, *, ask_at_step: int = 0, **given: object) -> training.Outcome:
    return training.start(installation, CONFIG, REPORT, watcher(StopRequest(), [], ask_at_step), **given)  # type: ignore[arg-type]


def test_a_run_is_recorded_from_its_events_to_its_scores(installation: MakeInstallation) -> None:
    here, heard = installation("succeed"), []
    outcome = training.start(here, CONFIG, REPORT, watcher(StopRequest(), heard))
    assert (outcome.run.name, outcome.state, outcome.accuracy) == ("reviews-001", TaskState.SUCCESS, 0.75)
    assert [event.step for event in heard if isinstance(event, StepLogged)] == [1, 2, 3, 4]
    with here.database.read() as session:
        record = experiments.get(session, "reviews-001")
        assert record is not None
        assert record.task is not None
        assert (record.task.state, record.task.stage, record.task.progress) == ("SUCCESS", "done", 1.0)
        assert (record.summary.accuracy, record.experiment.runtime_seconds) == (0.75, 1.5)
        assert [p.step for p in metrics.points(session, record.experiment.id, "step")] == [1, 2, 3, 4]
        assert [c.step for c in metrics.checkpoints(session, record.experiment.id)] == [2]


def test_the_same_command_twice_makes_two_runs(installation: MakeInstallation) -> None:
    here = installation("succeed")
    assert [start(here).run.name for _ in range(2)] == ["reviews-001", "reviews-002"]


def test_a_failure_keeps_the_engines_own_words(installation: MakeInstallation) -> None:
    outcome = start(installation("fail"))
    assert (outcome.state, outcome.error_code) == (TaskState.FAILURE, "run.diverged")


def test_a_child_that_is_killed_is_a_lost_run(installation: MakeInstallation) -> None:
    outcome = start(installation("vanish"))
    assert (outcome.state, outcome.error_code, outcome.retryable) == (TaskState.FAILURE, "run.lost", True)
    assert "ran out of memory" in (outcome.error_detail or "")
    assert read_events(outcome.run.events)[-1].type == "finished"


def test_a_child_that_falls_over_is_a_lost_run_with_its_last_line(installation: MakeInstallation) -> None:
    outcome = start(installation("crash"))
    assert outcome.error_code == "run.lost"
    assert "RuntimeError: the engine fell over" in (outcome.error_detail or "")
    assert "Traceback" in outcome.run.log.read_text()


def test_one_wish_to_stop_saves_and_stops(installation: MakeInstallation) -> None:
    outcome = start(installation("wait"), ask_at_step=1)
    assert (outcome.state, outcome.error_code) == (TaskState.REVOKED, None)


def test_a_child_that_is_killed_while_it_saves_is_not_said_to_have_stopped(installation: MakeInstallation) -> None:
    outcome = start(installation("dies_saving"), ask_at_step=1)
    assert (outcome.state, outcome.error_code) == (TaskState.FAILURE, "run.lost")
    assert "out of memory" in (outcome.error_detail or "")


def test_a_second_wish_to_stop_kills_the_child_and_its_children(installation: MakeInstallation) -> None:
    stop, here = StopRequest(), installation("child_of_child")

    def event(event: Event) -> None:
        if isinstance(event, StepLogged):
            threading.Thread(target=ask_twice).start()

    def ask_twice() -> None:
        while not (here.results_dir / "reviews-001" / "grandchild").exists():
            time.sleep(0.02)
        stop.ask()
        stop.ask()

    outcome = training.start(here, CONFIG, REPORT, Interface(began=lambda run: None, event=event, stop=stop))
    assert (outcome.state, outcome.error_code) == (TaskState.REVOKED, "run.killed")
    grandchild = int((outcome.run.path / "grandchild").read_text())
    assert wait_until(lambda: not is_running(grandchild))


def test_a_stopped_run_goes_on_under_the_next_attempt(installation: MakeInstallation) -> None:
    start(installation("wait"), ask_at_step=1)
    outcome = training.resume(installation("succeed"), "reviews-001", watcher(StopRequest(), []))
    assert outcome.state == TaskState.SUCCESS
    assert {event.attempt for event in read_events(outcome.run.events)} == {1, 2}
    with installation("succeed").database.read() as session:
        record = experiments.get(session, "reviews-001")
        assert record is not None
        assert record.task is not None
        assert (record.task.attempt, record.task.state) == (2, "SUCCESS")
        assert [p.attempt for p in metrics.points(session, record.experiment.id, "step")] == [1, 2, 2, 2, 2]


def test_a_finished_run_is_not_resumed(installation: MakeInstallation) -> None:
    here = installation("succeed")
    start(here)
    with pytest.raises(Conflict) as caught:
        training.resume(here, "reviews-001", watcher(StopRequest(), []))
    assert caught.value.code == "run.finished"
    assert "--plan" in caught.value.hint


def test_a_run_in_use_is_not_resumed(installation: MakeInstallation) -> None:
    here = installation("vanish")
    outcome = start(here)
    with run_lock(RunDirectory(outcome.run.path)), pytest.raises(Conflict) as caught:
        training.resume(here, "reviews-001", watcher(StopRequest(), []))
    assert caught.value.code == "run.locked"


def test_a_run_that_another_supervisor_holds_is_not_resumed(installation: MakeInstallation) -> None:
    here = installation("vanish")
    start(here)
    with sqlite3.connect(here.results_dir / "experiments.db") as connection:
        connection.execute(
            "UPDATE tasks SET state = 'STARTED', pid = ?, lease_expires_at = '2999-01-01'", (os.getpid(),)
        )
    with pytest.raises(Conflict) as caught:
        training.resume(here, "reviews-001", watcher(StopRequest(), []))
    assert caught.value.code == "run.locked"


def test_a_supervisor_that_lost_its_claim_stops_its_child(installation: MakeInstallation) -> None:
    here = installation("wait")

    def take_over(event: Event) -> None:
        if isinstance(event, StepLogged):
            with sqlite3.connect(here.results_dir / "experiments.db") as connection:
                connection.execute("UPDATE tasks SET token = 'somebody else'")
            append_event(here.results_dir / "reviews-001" / "events.jsonl", StageChanged(stage=Stage.EVALUATING))

    interface = Interface(began=lambda run: None, event=take_over, stop=StopRequest())
    with pytest.raises(Conflict) as caught:
        training.start(here, CONFIG, REPORT, interface)
    assert caught.value.code == "run.taken_over"
    run = RunDirectory(here.results_dir / "reviews-001")
    assert any(event.type == "finished" for event in read_events(run.events))


def a_plan(version: str) -> TrainingPlan:
    profile = DatasetProfile(
        version=version, labels=["no", "yes"], train_label_counts=[4, 4], num_train=8, num_eval=2, num_test=0,
        tokens=TokenFacts(mean=5.0, p50=5, p99=9, longest=9),
    )  # fmt: skip
    base = BaseModelFacts(
        name="minilm", hub_id="a/b", language="English", architecture="bert", fingerprint="f", max_positions=512,
        hidden_size=384, encoder_linears=["query"], head_modules=["classifier"],
    )  # fmt: skip
    hardware = Hardware(device="cpu", device_name="a CPU", num_threads=1, memory_bytes=10**9)
    return make_plan(CONFIG, profile, base, hardware)


def test_a_plan_is_repeated_as_it_is(installation: MakeInstallation, tmp_path: Path) -> None:
    plan = a_plan(REPORT.identity.version)
    write_json(tmp_path / "plan.json", plan.model_dump(mode="json"))
    outcome = start(installation("succeed"), plan=training.read_plan(tmp_path / "plan.json"))
    assert outcome.run.plan.read_bytes() == (tmp_path / "plan.json").read_bytes()


def test_a_plan_for_other_data_is_refused_before_anything_is_made(installation: MakeInstallation) -> None:
    here = installation("succeed")
    with pytest.raises(Conflict) as caught:
        start(here, plan=a_plan("b" * 64))
    assert caught.value.code == "plan.data_changed"
    assert not (here.results_dir / "reviews-001").exists()


def test_a_name_that_is_used_is_refused_and_the_first_run_kept(installation: MakeInstallation) -> None:
    here = installation("succeed")
    start(here, name="mine")
    with pytest.raises(Conflict) as caught:
        start(here, name="mine")
    assert caught.value.code == "run.exists"
    assert (here.results_dir / "mine" / "receipt.json").is_file()


def test_a_name_that_leaves_the_results_directory_is_refused(installation: MakeInstallation) -> None:
    with pytest.raises(InvalidInput, match=r"\.\./mine"):
        start(installation("succeed"), name="../mine")


def test_a_results_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(StorageError, match="cannot write"):
        open_installation(Settings(results_dir=tmp_path / "file" / "results"))


def test_a_file_that_is_no_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"config": {}}')
    with pytest.raises(ConfigError, match=r"plan\.json is not a plan: data"):
        training.read_plan(path)
    (tmp_path / "torn.json").write_text("{")
    for unreadable in (tmp_path / "torn.json", tmp_path / "missing.json", tmp_path):
        with pytest.raises(ConfigError) as caught:
            training.read_plan(unreadable)
        assert caught.value.hint == "take plan.json of a run"


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_child_stops_when_its_supervisor_dies_and_the_run_is_shown_as_it_ended(
    installation: MakeInstallation, tmp_path: Path
) -> None:
    here = installation("wait")
    script = tmp_path / "supervise.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "import test_training as t\n"
        "from app.services.installation import Installation, open_installation\n"
        "opened = open_installation(t.Settings(results_dir=t.Path(sys.argv[1])))\n"
        "t.start(Installation(opened.database, opened.results_dir, (sys.executable, sys.argv[2], 'wait')))\n"
    )
    engine = Path(__file__).with_name("stand_in_engine.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(training.__file__).parents[2])])}
    supervisor = subprocess.Popen([sys.executable, script, here.results_dir, engine], env=environment)
    run = RunDirectory(here.results_dir / "reviews-001")
    try:
        assert wait_until(lambda: any(e.type == "step" for e in read_events(run.events)))
    finally:
        supervisor.kill()
        supervisor.wait()
    assert wait_until(lambda: any(e.type == "finished" for e in read_events(run.events)))
    mark_lost_runs(here.database, here.results_dir)
    with here.database.read() as session:
        record = experiments.get(session, "reviews-001")
        assert record is not None
        assert record.task is not None
        assert record.task.state == "REVOKED"


def test_an_experiment_whose_runs_would_have_too_long_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="-001 is no run name") as caught:
        create_numbered_run(tmp_path / "results", "a" * 98)
    assert "at most 94" in caught.value.hint
    assert not (tmp_path / "results").exists()
