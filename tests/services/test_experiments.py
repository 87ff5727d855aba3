"""Runs looked up, compared, exported, imported, verified, given away and deleted."""

import csv
import io
import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.data_report import DataIdentity, DataReport
from app.domain.errors import Conflict, InvalidInput, NotFound, StorageError
from app.domain.train_config import TrainConfig
from app.runs.directory import RunDirectory
from app.runs.files import read_json, write_json
from app.runs.lock import run_lock
from app.services import experiments, training
from app.services.export import export_run, export_text, format_of
from app.services.installation import Installation, open_installation
from app.services.registration import import_run
from app.services.supervisor import StopRequest
from app.services.training import Interface
from app.services.verification import verify_run
from app.settings import Settings

MakeInstallation = Callable[[str], Installation]


def train(installation: Installation, name: str, **settings: object) -> RunDirectory:
    config = TrainConfig.model_validate({"data": {"train": "reviews.csv"}, "training": settings})
    identity = DataIdentity(
        name="評論",
        version="a" * 64,
        labels=["no", "yes"],
        num_train=8,
        num_eval=2,
        num_test=0,
        train_label_counts=[4, 4],
    )
    quiet = Interface(began=lambda run: None, event=lambda event: None, stop=StopRequest())
    report = DataReport(identity=identity, reports={})
    return training.start(installation, config, report, quiet, name=name).run


def test_a_list_has_the_promised_keys(installation: MakeInstallation) -> None:
    train(installation("succeed"), "a")
    train(installation("fail"), "b")
    found = experiments.list_experiments(installation("succeed"), sort="name")
    keys = {"name", "state", "created_at", "base_model", "dataset", "accuracy", "runtime_seconds"}
    assert all(keys <= one.keys() for one in found)
    assert [(one["name"], one["state"], one["accuracy"]) for one in found] == [
        ("a", "SUCCESS", 0.75),
        ("b", "FAILURE", None),
    ]
    assert (found[0]["dataset"], found[0]["runtime_seconds"]) == ("評論", 1.5)
    assert found[0]["created_at"].endswith("Z")


def test_a_list_can_be_filtered(installation: MakeInstallation) -> None:
    here = installation("succeed")
    train(here, "a")
    train(here, "b")
    assert [one["name"] for one in experiments.list_experiments(here, "name = b and accuracy > 0.7")] == ["b"]
    with pytest.raises(InvalidInput):
        experiments.list_experiments(here, "drop table")


def test_runs_are_compared_by_dotted_key(installation: MakeInstallation) -> None:
    here = installation("succeed")
    train(here, "a", seed=1)
    train(here, "b", seed=2)
    run = train(here, "c", seed=1)
    found = experiments.compare(here, ["a", "b", "c"])
    assert found["config"] == {"training.seed": [1, 2, 1]}
    assert found["metrics"] == found["data"] == {}
    assert run.is_complete


def test_an_unknown_name_gets_the_nearest(installation: MakeInstallation) -> None:
    here = installation("succeed")
    train(here, "reviews-long")
    with pytest.raises(NotFound) as caught:
        experiments.show(here, "reviews-lnog")
    assert "reviews-long" in caught.value.hint


def test_a_started_run_whose_process_is_gone_is_shown_as_lost(installation: MakeInstallation) -> None:
    here = installation("succeed")
    run = train(here, "a")
    run.receipt.unlink()
    events = run.events.read_text().splitlines(keepends=True)
    run.events.write_text("".join(events[:-1]))
    gone = fork_and_wait()
    with sqlite3.connect(here.results_dir / "experiments.db") as connection:
        connection.execute(
            "UPDATE tasks SET state = 'STARTED', pid = ?, events_offset = 0, lease_expires_at = '2999-01-01'", (gone,)
        )
    with run_lock(run):
        assert experiments.list_experiments(here)[0]["state"] == "STARTED"
    found = experiments.list_experiments(here)[0]
    assert (found["state"], found["error"]["code"], found["error"]["retryable"]) == ("FAILURE", "run.lost", True)


def fork_and_wait() -> int:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    return pid


def test_export_as_json_has_record_and_points(installation: MakeInstallation) -> None:
    here = installation("succeed")
    train(here, "a")
    found = json.loads(export_text(here, "a", "json"))
    assert (found["state"], found["metrics"]["eval"]["accuracy"]) == ("SUCCESS", 0.75)
    assert [point["step"] for point in found["points"] if point["kind"] == "step"] == [1, 2, 3, 4]


def test_export_as_csv_has_one_value_a_row(installation: MakeInstallation) -> None:
    here = installation("succeed")
    train(here, "a")
    rows = list(csv.DictReader(io.StringIO(export_text(here, "a", "csv"))))
    assert [row["value"] for row in rows if row["metric"] == "loss" and row["kind"] == "eval"] == ["0.5"]


def test_an_archive_leaves_checkpoints_out_and_never_overwrites(installation: MakeInstallation, tmp_path: Path) -> None:
    here = installation("succeed")
    run = train(here, "a")
    (run.checkpoints / "step-000002").mkdir(parents=True)
    (run.checkpoints / "step-000002" / "weights").write_text("large")
    export_run(here, "a", tmp_path / "a.zip", "zip")
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert {"a/config.yaml", "a/events.jsonl", "a/receipt.json"} <= set(names)
    assert not any("checkpoints" in name or ".lock" in name for name in names)
    with pytest.raises(Conflict, match="exists already"):
        export_run(here, "a", tmp_path / "a.zip", "zip")


def test_the_format_follows_the_file_name() -> None:
    assert format_of(Path("run-1.2.tar.gz")) == "tar.gz"
    with pytest.raises(InvalidInput, match=r"run\.rar"):
        format_of(Path("run.rar"))


def test_a_run_made_without_this_database_is_taken_in(installation: MakeInstallation, tmp_path: Path) -> None:
    run = train(installation("succeed"), "a")
    elsewhere = open_installation(Settings(results_dir=tmp_path / "elsewhere"))
    assert import_run(elsewhere, run.path) == "a"
    found = experiments.show(elsewhere, "a")
    assert (found["state"], found["accuracy"], found["dataset"]) == ("SUCCESS", 0.75, "評論")
    assert [c["step"] for c in found["checkpoints"]] == [2]
    assert Path(found["dir"]) == tmp_path / "elsewhere" / "a"
    with pytest.raises(Conflict, match="recorded already"):
        import_run(elsewhere, run.path)


def test_a_run_that_was_changed_after_its_receipt_is_not_taken_in(
    installation: MakeInstallation, tmp_path: Path
) -> None:
    run = train(installation("succeed"), "a")
    receipt = read_json(run.receipt)
    write_json(run.receipt, {**receipt, "files": {"config.yaml": "0" * 64}})
    elsewhere = open_installation(Settings(results_dir=tmp_path / "elsewhere"))
    with pytest.raises(Conflict, match=r"config\.yaml changed"):
        import_run(elsewhere, run.path)
    assert not (tmp_path / "elsewhere" / "a").exists()


DAMAGES = [
    ("config.yaml", "lora: {r: many}", "lora.r"),
    ("config.yaml", "lora: {r: [", "config.yaml"),
    ("data_report.json", "{", "data_report.json"),
    ("receipt.json", '{"run": 1}', "run: "),
    ("attempt.json", '{"number": "x"}', "number: "),
    ("plan.json", "[]", "plan.json"),
    ("metrics.json", '{"eval": {"accuracy": "high"}}', "eval.accuracy: "),
]


@pytest.mark.parametrize(("file", "content", "words"), DAMAGES)
def test_a_damaged_record_is_named_and_nothing_is_left_behind(
    file: str, content: str, words: str, installation: MakeInstallation, tmp_path: Path
) -> None:
    run = train(installation("succeed"), "a")
    before = (run.path / file).read_bytes() if (run.path / file).exists() else None
    (run.path / file).write_text(content, encoding="utf-8")
    elsewhere = open_installation(Settings(results_dir=tmp_path / "elsewhere"))
    with pytest.raises(InvalidInput) as caught:
        import_run(elsewhere, run.path)
    assert str(run.path / file) in caught.value.message
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert not (elsewhere.results_dir / "a").exists()
    (run.path / file).unlink() if before is None else (run.path / file).write_bytes(before)
    assert import_run(elsewhere, run.path) == "a"


def test_a_directory_that_is_no_run_is_not_taken_in(installation: MakeInstallation, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no run directory"):
        import_run(installation("succeed"), tmp_path)


def test_a_run_can_be_given_to_somebody(installation: MakeInstallation) -> None:
    here = installation("succeed")
    train(here, "a")
    experiments.assign(here, "a", "小明")
    assert experiments.show(here, "a")["owner"] == "小明"


def test_a_deleted_run_is_gone_and_its_name_free(installation: MakeInstallation) -> None:
    here = installation("succeed")
    run = train(here, "a")
    path, size = experiments.describe_deletion(here, "a")
    assert (path, size > 0) == (run.path, True)
    experiments.delete(here, "a")
    assert experiments.list_experiments(here) == []
    assert not run.path.exists()
    train(here, "a")


def test_a_run_in_use_is_not_deleted(installation: MakeInstallation) -> None:
    here = installation("succeed")
    run = train(here, "a")
    with run_lock(run), pytest.raises(Conflict, match="being written"):
        experiments.delete(here, "a")
    assert experiments.show(here, "a")["state"] == "SUCCESS"


def test_a_run_whose_directory_is_gone_can_still_be_forgotten(installation: MakeInstallation) -> None:
    here = installation("succeed")
    shutil.rmtree(train(here, "a").path)
    with pytest.raises(NotFound, match="is gone"):
        experiments.find_run(here, "a")
    experiments.delete(here, "a")
    assert experiments.list_experiments(here) == []


def test_a_run_without_a_receipt_cannot_be_verified(installation: MakeInstallation) -> None:
    run = train(installation("fail"), "a")
    with pytest.raises(StorageError) as caught:
        verify_run(run)
    assert caught.value.code == "run.incomplete"
