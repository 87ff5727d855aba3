"""What is removed by itself, and what is not."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app.data.store_files import store_lock
from app.db.repositories import audit as repository
from app.db.repositories import leases, metrics
from app.db.tables import IdempotencyRow, LoginSessionRow, UploadRow, UserRow
from app.db.tables.base import utc_now
from app.domain.errors import AuditUnavailable
from app.domain.task import TaskKind
from app.runs.directory import RunDirectory
from app.runs.files import hash_tree, write_json
from app.runs.lock import run_lock
from app.services import cleanup, submission, uploads
from tests.tasks.conftest import House

ACCURACY = {10: 0.80, 20: 0.90, 30: 0.95, 40: 0.70}
"""30 is the best, 40 the last, 20 within one standard error of the best and faster."""
LONG_AGO = timedelta(days=90)


def add_checkpoints(house: House, run: RunDirectory, experiment_id: int) -> None:
    for step, accuracy in ACCURACY.items():
        folder = run.checkpoints / f"step-{step:06d}"
        folder.mkdir(parents=True)
        (folder / "adapter_model.safetensors").write_bytes(bytes(step))
        manifest = {
            "step": step, "epoch": step / 10, "train_seconds": float(step), "samples": 16 * step, "tokens": 300 * step,
            "attempt": 1, "metrics": {"accuracy": accuracy, "loss": 1 - accuracy}, "num_eval_rows": 10,
            "plan_sha256": "0" * 64, "files": hash_tree(folder),
        }  # fmt: skip
        write_json(folder / "manifest.json", manifest)
        with house.platform.installation.database.write() as session:
            metrics.put_checkpoint(session, experiment_id, step=step, path=str(folder), size_bytes=step)
    (run.checkpoints / ".step-000050.123.tmp").mkdir()


@pytest.fixture
def ended(house: House) -> Callable[..., RunDirectory]:
    """`ended(keep=None, minutes=10)`: a run that failed so long ago, with four checkpoints and a half-written one."""

    def make(keep: list[str] | None = None, minutes: float = 10) -> RunDirectory:
        house.mode("bad_data")
        task_id = house.submit(config={"checkpoints": {"keep": keep}} if keep else {})
        assert house.work() == task_id
        run, task = house.run(task_id), house.task(task_id)
        add_checkpoints(house, run, task.experiment_id or 0)
        house.change(task_id, finished_at=utc_now() - timedelta(minutes=minutes))
        return run

    return make


def steps(run: RunDirectory) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in run.checkpoints.glob("step-*"))


def recorded(house: House, run: RunDirectory) -> list[int]:
    from app.db.repositories import experiments

    with house.platform.installation.database.read() as session:
        record = experiments.get(session, run.name)
        assert record is not None
        return [row.step for row in metrics.checkpoints(session, record.experiment.id)]


def test_each_ended_run_keeps_what_its_own_rule_says(house: House, ended: Callable[..., RunDirectory]) -> None:
    all_reasons, last_only = ended(), ended(["last"])
    assert cleanup.clean_up(house.platform)["checkpoints"] == 4
    assert (steps(all_reasons), steps(last_only)) == ([20, 30, 40], [40])
    assert (recorded(house, all_reasons), recorded(house, last_only)) == ([20, 30, 40], [40])
    assert not list(all_reasons.checkpoints.glob(".step-*"))
    pruned = [(f"experiment:{run.name}", o) for run in (all_reasons, last_only) for o in ("started", "success")]
    assert sorted(house.audit("checkpoint.prune")) == sorted(pruned)


def test_what_runs_waits_or_ended_just_now_is_not_touched(house: House, ended: Callable[..., RunDirectory]) -> None:
    just_now, written, resumed = ended(minutes=0), ended(), ended()
    with house.platform.installation.database.read() as session:
        from app.db.repositories import experiments

        record = experiments.get(session, resumed.name)
        assert record is not None
        assert record.task is not None
    submission.retry(house.platform, house.caller(), record.task.id)
    with run_lock(written):
        cleanup.clean_up(house.platform)
    assert [steps(run) for run in (just_now, written, resumed)] == [[10, 20, 30, 40]] * 3


def test_a_duty_is_done_when_it_is_due_and_not_before(house: House, ended: Callable[..., RunDirectory]) -> None:
    assert set(cleanup.clean_up(house.platform)) == set(cleanup.DUTIES)
    run = ended()
    assert cleanup.clean_up(house.platform) == {}
    with house.platform.installation.database.write() as session:
        assert leases.done(session, "checkpoints", cleanup.HOLDER)
        from app.db.tables import LeaseRow

        session.get_one(LeaseRow, "checkpoints").done_at = utc_now() - timedelta(hours=2)
    assert set(cleanup.clean_up(house.platform)) == {"checkpoints"}
    assert steps(run) == [20, 30, 40]


def test_what_has_expired_is_forgotten(house: House) -> None:
    old = utc_now() - LONG_AGO
    with house.platform.installation.database.write() as session:
        user = session.query(UserRow).filter_by(username="ada").one()
        for name, moment in (("old", old), ("new", utc_now())):
            session.add(
                LoginSessionRow(id=name, user_id=user.id, refresh_hash="", expires_at=moment + timedelta(days=1))
            )
            session.add(IdempotencyRow(owner="ada", key=name, request_sha256="", request_id="r", created_at=moment))
    removed = cleanup.clean_up(house.platform)
    assert (removed["sign-ins"], removed["idempotency-keys"]) == (1, 1)
    with house.platform.installation.database.read() as session:
        assert [row.id for row in session.query(LoginSessionRow)] == ["new"]
        assert [row.key for row in session.query(IdempotencyRow)] == ["new"]


def test_directories_of_ended_work_go_in_time_and_others_stay(house: House) -> None:
    def old(path: Path) -> Path:
        path.mkdir(parents=True)
        (path / "file").write_text("content")
        then = time.time() - LONG_AGO.total_seconds()
        os.utime(path, (then, then))
        return path

    caller, results = house.caller(), house.results_dir
    done, waiting, recent = (submission.submit_work(house.platform, caller, TaskKind.PREDICT, {}) for _ in range(3))
    house.change(done, state="SUCCESS", finished_at=utc_now() - LONG_AGO)
    house.change(recent, state="SUCCESS", finished_at=utc_now() - timedelta(days=2))
    unknown = "0b6cf0ee-7a3e-4f4e-9f5f-0f8d4c1f3a11"
    going = [old(results / "predictions" / done), old(results / "predictions" / unknown), old(results / ".deleted-1")]
    going += [old(results / "cache" / f"work-{unknown}")]
    staying = [old(results / "predictions" / name) for name in (waiting, recent)] + [old(results / "cache" / "other")]
    removed = cleanup.clean_up(house.platform)
    assert (removed["work"], removed["set-aside"]) == (3, 1)
    assert [path.exists() for path in going] == [False] * 4
    assert [path.exists() for path in staying] == [True] * 3


def test_uploads_and_data_that_nothing_refers_to_are_freed(house: House) -> None:
    orphan = house.platform.settings.uploads_dir / "orphan"
    orphan.mkdir(parents=True)
    (orphan / "part").write_text("half a file")
    chunk = house.results_dir / "datasets" / "chunks" / "ab" / ("ab" * 32 + ".parquet")
    chunk.parent.mkdir(parents=True, exist_ok=True)
    chunk.write_bytes(b"nobody's")
    then = time.time() - LONG_AGO.total_seconds()
    for path in (orphan / "part", orphan, chunk):
        os.utime(path, (then, then))
    removed = cleanup.clean_up(house.platform)
    assert (removed["uploads"], removed["data"]) == (1, 1)
    assert not orphan.exists()
    assert not chunk.exists()
    task_id = house.submit()  # what is in use is still there
    assert house.work() == task_id


def lies_for_long(path: Path) -> Path:
    (path / "file").parent.mkdir(parents=True)
    (path / "file").write_text("content")
    then = time.time() - LONG_AGO.total_seconds()
    for changed in (path / "file", path):
        os.utime(changed, (then, then))
    return path


def test_what_cannot_be_recorded_is_not_removed(
    house: House, ended: Callable[..., RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, unknown = ended(), "0b6cf0ee-7a3e-4f4e-9f5f-0f8d4c1f3a11"
    sent = uploads.begin(house.platform, "ada", 100).directory
    with house.platform.installation.database.write() as session:
        session.get_one(UploadRow, sent.name).created_at = utc_now() - LONG_AGO
    then = time.time() - LONG_AGO.total_seconds()
    os.utime(sent, (then, then))
    chunk = lies_for_long(house.results_dir / "datasets" / "chunks" / "ab") / ("ab" * 32 + ".parquet")
    (chunk.parent / "file").rename(chunk)
    results = house.results_dir
    gone = [results / "predictions" / unknown, results / "cache" / f"work-{unknown}", results / ".deleted-1"]
    gone = [lies_for_long(path) for path in (*gone, house.platform.settings.uploads_dir / unknown)] + [sent, chunk]

    def unwritable(*_: object, **__: object) -> None:
        raise AuditUnavailable("the audit log cannot be written")

    with monkeypatch.context() as patched:
        patched.setattr(repository, "add", unwritable)
        assert set(cleanup.clean_up(house.platform)) == {"sign-ins", "idempotency-keys", "checkpoints"}
    assert steps(run) == [10, 20, 30, 40]
    assert [path.exists() for path in gone] == [True] * 6
    cleanup.clean_up(house.platform)
    assert [path.exists() for path in gone] == [False] * 6
    ended_well = ["started", "success"]
    recorded_as = {
        "prediction.expire": ended_well,
        "work.expire": ended_well,
        "leftover.remove": ended_well,
        "dataset.free": ended_well,
        "upload.expire": ["success", *ended_well],
    }
    for action, outcomes in recorded_as.items():
        assert [outcome for _, outcome in house.audit(action)] == outcomes, action


def test_the_store_is_cleaned_when_nobody_writes_to_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "STORE_PATIENCE_SECONDS", 0.1)
    with store_lock(house.results_dir):
        assert "data" not in cleanup.clean_up(house.platform)
    assert cleanup.clean_up(house.platform) == {"data": 0}


def test_a_duty_that_fails_keeps_no_other_from_being_done(house: House, ended: Callable[..., RunDirectory]) -> None:
    run = ended()
    (house.results_dir / "broken").mkdir()
    (house.results_dir / "broken" / "data_report.json").write_text("{")
    removed = cleanup.clean_up(house.platform)
    assert "data" not in removed
    assert removed["checkpoints"] == 1
    assert steps(run) == [20, 30, 40]
