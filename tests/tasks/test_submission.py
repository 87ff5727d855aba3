"""What is asked of a training before it is accepted, and what is there once it is."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.db.repositories import datasets, workers
from app.db.tables import WorkerRow
from app.db.tables.base import utc_now
from app.domain.errors import ConfigError, Conflict, DataBlocked, Forbidden, InvalidInput, QuotaExceeded
from app.domain.principal import Role
from app.domain.task import TaskKind
from app.domain.train_config import DataConfig
from app.services import data_sets, submission
from app.services.sweeper import resend
from app.tasks.broker import connect, running_broker
from app.tasks.celery_app import queue_name
from tests.tasks.conftest import House

MakeHouse = Callable[..., House]


def places(house: House, username: str = "ada", **config: Any) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        house.submit(username, config=config)
    return dict(caught.value.places)


def waiting(url: str, kind: TaskKind) -> int:
    with connect(url) as client:
        return int(client.llen(queue_name(kind)))  # type: ignore[arg-type]


def test_an_accepted_training_is_there_with_its_task_and_its_audit_event(house: House) -> None:
    first, second = house.submit(), house.submit()
    assert [house.run(task_id).name for task_id in (first, second)] == ["reviews-001", "reviews-002"]
    task = house.task(first)
    assert (task.state, task.kind, task.owner, task.attempt) == ("PENDING", "train", "ada", 0)
    assert task.memory_bytes is not None
    assert 500e6 < task.memory_bytes < 5e9
    assert house.audit("train.submit") == [(f"task:{first}", "success"), (f"task:{second}", "success")]
    assert not house.run(first).path.exists()


def test_every_fault_of_a_configuration_is_named_at_once(house: House) -> None:
    found = places(
        house,
        model={"name": "/etc/models/bert"},
        data={"train": "reviews@7", "eval": "hub:imdb", "test": "../reviews.csv"},
        training={"num_threads": 100_000},
    )
    assert set(found) == {"/model/name", "/data/train", "/data/eval", "/data/test", "/training/num_threads"}
    assert "minilm" in found["/model/name"]
    assert "reviews@1" in found["/data/train"]


@pytest.mark.parametrize(
    "source", ["https://host/data.csv", "file:///etc/passwd", "hub:imdb", "/etc/passwd", "reviews"]
)
def test_only_stored_versions_are_trained_on(house: House, source: str) -> None:
    assert set(places(house, data={"train": source})) == {"/data/train"}


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"model": {"max_length": 4096}}, "/model/max_length"),
        ({"training": {"max_steps": 10, "warmup_steps": 10}}, "/training/warmup_steps"),
        ({"training": {"label_weights": {"neutral": 2.0}}}, "/training/label_weights"),
        ({"training": {"precision": "fp16", "device": "cpu"}}, "/training/precision"),
        ({"model": {"revision": "main"}}, "/model/revision"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused_at_their_place(
    house: House, config: dict[str, Any], place: str
) -> None:
    assert set(places(house, **config)) == {place}


def test_a_device_that_no_live_worker_offers_is_refused_at_its_place(house: House) -> None:
    def heard(name: str, kinds: list[TaskKind], devices: list[str], minutes: float = 0) -> None:
        with house.platform.installation.database.write() as session:
            workers.heard(session, name, kinds, devices)
            session.get_one(WorkerRow, name).heard_at = utc_now() - timedelta(minutes=minutes)

    cuda = {"training": {"device": "cuda"}}
    heard("gone", [TaskKind.TRAIN], ["cpu"], minutes=30)
    heard("other", [TaskKind.PREDICT], ["cpu", "cuda"])
    first = house.submit(config=cuda)  # nobody is there who could say
    heard("here", [TaskKind.TRAIN], ["cpu"])
    assert set(places(house, **cuda)) == {"/training/device"}
    assert set(places(house, training={"precision": "fp16"})) == {"/training/precision"}
    assert "here: cpu" in places(house, **cuda)["/training/device"]
    second = house.submit()
    heard("there", [TaskKind.TRAIN, TaskKind.PLAN], ["cpu", "cuda"])
    third = house.submit(config={"training": {"precision": "fp16"}})
    assert [house.task(task_id).device for task_id in (first, second, third)] == ["cuda", None, "cuda"]


def test_somebody_elses_data_set_is_as_unknown_as_one_that_is_not_there(house: House) -> None:
    with house.platform.installation.database.write() as session:
        datasets.claim(session, "private", "bob")
    others, nobodys = places(house, "carol", data={"train": "reviews@1"}), places(house, data={"train": "nothing@1"})
    assert others["/data/train"].replace("reviews", "nothing").split(";")[0] == nobodys["/data/train"].split(";")[0]
    assert house.audit("access.denied") == [("dataset:reviews", "denied")]


def test_findings_of_the_stored_data_can_forbid_training(house: House, repository: Path, tmp_path: Path) -> None:
    lines = (repository / "examples" / "reviews_train.csv").read_text(encoding="utf-8").splitlines()
    doubled = tmp_path / "doubled.csv"
    doubled.write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")
    data_sets.add(house.results_dir, "doubled", DataConfig(train=str(doubled)), seed=1)
    with house.platform.installation.database.write() as session:
        datasets.claim(session, "doubled", "ada")
    house.config["data"] = {"train": "doubled@1"}
    house.submit()
    house.config["data"] = {"train": "doubled@1", "block": ["duplicate"]}
    with pytest.raises(DataBlocked, match=r"doubled@1: 1 row .*\(duplicate\)"):
        house.submit()


def test_a_viewer_trains_nothing(house: House) -> None:
    house.caller("eve", Role.VIEWER)
    with pytest.raises(Forbidden):
        house.submit("eve")


def test_a_name_is_given_once(house: House) -> None:
    house.submit(name="mine")
    (house.results_dir / "on-disk").mkdir()
    for taken in ("mine", "on-disk"):
        with pytest.raises(Conflict) as caught:
            house.submit(name=taken)
        assert caught.value.code == "run.exists"
    with pytest.raises(InvalidInput):
        house.submit(name="../mine")


def test_only_administrators_go_before_others(house: House) -> None:
    house.caller("root", Role.ADMIN)
    assert house.task(house.submit(priority=-5)).priority == -5
    assert house.task(house.submit("root", priority=5)).priority == 5
    with pytest.raises(InvalidInput):
        house.submit(priority=1)


def test_a_full_queue_says_when_there_is_room(make_house: MakeHouse) -> None:
    house = make_house(max_queued=2)
    running = house.submit()
    house.submit()
    with house.platform.installation.database.write() as session:
        from app.db.repositories import tasks

        tasks.claim(session, running, token="t", pid=1, hostname="elsewhere")
        tasks.record_progress(session, running, "t", eta_seconds=321.0)
    house.submit()
    with pytest.raises(QuotaExceeded) as caught:
        house.submit()
    assert caught.value.retry_after_seconds == 321.0
    house.caller("bob")
    submission.submit_work(house.platform, house.caller("bob"), TaskKind.PLAN, {})


def test_what_is_submitted_while_the_broker_is_down_is_sent_when_it_is_back(make_house: MakeHouse) -> None:
    house = make_house()
    task_id = house.submit()
    assert (house.task(task_id).state, house.task(task_id).enqueued_at) == ("PENDING", None)
    with running_broker(house.platform.settings) as url:
        assert waiting(url, TaskKind.TRAIN) == 0
        assert resend(house.platform) == 1
        assert waiting(url, TaskKind.TRAIN) == 1
        assert house.task(task_id).enqueued_at is not None
        assert resend(house.platform) == 0
        house.submit()
        assert waiting(url, TaskKind.TRAIN) == 2
