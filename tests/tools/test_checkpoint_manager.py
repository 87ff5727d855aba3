"""Checkpoints of a run directory: listed with their state, pruned by the retention rule."""

import json
from pathlib import Path

import pytest

from app.db.repositories import audit, experiments, metrics
from app.db.session import Database, open_database
from app.domain.errors import Conflict, InvalidInput
from app.runs.checkpoints import verify
from app.runs.directory import RunDirectory
from app.runs.lock import run_lock
from app.services.checkpoints import parse_keep, prune
from app.settings import Settings
from app.tools.checkpoint_manager import main
from tests.checkpoints import ACCURACY, checkpointed_run


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Four checkpoints: 30 is best, 40 last; 20 is within one standard error of the best, and faster."""
    return checkpointed_run(tmp_path / "results" / "a")


def steps(run: RunDirectory) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in run.checkpoints.glob("step-*"))


def test_a_list_says_why_each_is_kept(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(run.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["step"]: one["reasons"] for one in found} == {10: [], 20: ["fastest"], 30: ["best"], 40: ["last"]}
    assert all(one["intact"] for one in found)


def test_a_table_shows_what_is_damaged(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    (run.checkpoints / "step-000030" / "adapter_model.safetensors").write_bytes(b"other")
    assert main(["list", str(run.path)]) == 0
    shown = capsys.readouterr().out
    assert "intact" in shown
    assert "adapter_model.safetensors is not what was saved" in " ".join(shown.replace("│", " ").split())


def test_a_damaged_checkpoint_is_never_the_best(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    (run.checkpoints / "step-000030" / "manifest.json").unlink()
    main(["list", str(run.path), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert "best" in {one["step"]: one["reasons"] for one in found}[20]
    assert [one["step"] for one in found if not one["intact"]] == [30]


def test_without_yes_nothing_is_removed(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", str(run.path)]) == 0
    assert "give --yes" in capsys.readouterr().out
    assert steps(run) == [10, 20, 30, 40]


def test_pruning_keeps_what_the_run_asks_for(run: RunDirectory) -> None:
    assert main(["prune", str(run.path), "--yes"]) == 0
    assert steps(run) == [20, 30, 40]
    assert verify(run.checkpoints / "step-000030").step == 30


def test_a_run_that_is_not_complete_keeps_its_last_checkpoint(run: RunDirectory) -> None:
    assert main(["prune", str(run.path), "--keep", "best", "--yes"]) == 0
    assert steps(run) == [30, 40]


def test_a_complete_run_keeps_only_what_is_asked_for(run: RunDirectory) -> None:
    run.receipt.write_text("{}")
    assert main(["prune", str(run.path), "--keep", "best", "--yes"]) == 0
    assert steps(run) == [30]


def test_where_none_is_intact_none_is_removed(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in run.checkpoints.iterdir():
        (folder / "manifest.json").write_text("{}")
    assert main(["prune", str(run.path), "--yes"]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    assert steps(run) == [10, 20, 30, 40]


def test_a_run_that_is_being_written_is_not_pruned(run: RunDirectory) -> None:
    with run_lock(run), pytest.raises(Conflict):
        prune(run)
    assert steps(run) == [10, 20, 30, 40]


def test_an_unknown_reason_is_refused() -> None:
    with pytest.raises(InvalidInput, match="newest"):
        parse_keep("best,newest")


def test_an_unknown_run_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "no-such-run"]) == 2
    assert "no run 'no-such-run'" in capsys.readouterr().err


def record(run: RunDirectory, paths: str) -> Database:
    """A database beside the run that knows its checkpoints by `paths`."""
    database = open_database(Settings(results_dir=run.results_dir).effective_database_url)
    with database.write() as session:
        experiment_id, _ = experiments.create(
            session,
            name=run.name,
            experiment_name="a",
            config={},
            base_model="minilm",
            data_name="d",
            data_version=None,
            seed=1,
            run_dir=run.name,
        )
        for step in ACCURACY:
            metrics.put_checkpoint(session, experiment_id, step=step, path=paths.format(step), size_bytes=1)
    return database


@pytest.mark.parametrize("paths", ["artifacts/checkpoints/step-{:06d}", "step-{:06d}"])
def test_what_is_pruned_is_forgotten_by_the_database_beside_the_run(run: RunDirectory, paths: str) -> None:
    database = record(run, paths)
    assert main(["prune", str(run.path), "--yes"]) == 0
    with database.read() as session:
        events = [chained.event for chained in audit.chain_after(session, 0, 10)]
        assert {(event.action, event.resource) for event in events} == {("checkpoint.prune", f"experiment:{run.name}")}
        assert [event.outcome for event in events] == ["started", "success"]
        assert events[0].actor.startswith("local:")
        found = experiments.get(session, run.name)
        assert found is not None
        assert [row.step for row in metrics.checkpoints(session, found.experiment.id)] == steps(run) == [20, 30, 40]


def test_a_run_without_a_database_is_given_none(run: RunDirectory) -> None:
    assert main(["prune", str(run.path), "--yes"]) == 0
    assert not list(run.results_dir.glob("experiments.db*"))
