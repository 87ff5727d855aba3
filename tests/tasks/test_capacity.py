"""How much a worker does at once."""

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.db.tables import TaskRow
from app.domain.task import TaskKind
from app.services import capacity as capacity_of
from app.services.capacity import LIGHT, TRAINING, Capacity, Room, machine_capacity, memory_limit_bytes
from app.settings import Settings, visible_gpus


class Waiting:
    """Tasks that wait; claims what there is room for."""

    def __init__(self, *tasks: TaskRow) -> None:
        self.tasks, self.rooms = list(tasks), list[Room]()

    def claim(self, room: Room) -> TaskRow | None:
        self.rooms.append(room)
        free = room.free_memory_bytes
        for task in self.tasks:
            if task.kind in room.kinds and (free is None or (task.memory_bytes or 0) <= free):
                self.tasks.remove(task)
                return task
        return None


def task(name: str, kind: TaskKind = TaskKind.TRAIN, memory_bytes: int | None = None) -> TaskRow:
    return TaskRow(id=name, kind=kind, memory_bytes=memory_bytes)


def test_light_work_does_not_wait_for_a_training_to_end() -> None:
    capacity = Capacity({TRAINING: 1, LIGHT: 1})
    waiting = Waiting(task("a"), task("b"), task("c", TaskKind.PLAN), task("d", TaskKind.PREDICT))
    with capacity.place(waiting.claim) as first, capacity.place(waiting.claim) as second:
        assert first is not None
        assert second is not None
        assert (first.task.id, second.task.id) == ("a", "c")
        with capacity.place(waiting.claim) as third:
            assert third is None
    with capacity.place(waiting.claim) as next_one:
        assert next_one is not None
        assert next_one.task.id == "b"


def test_a_task_that_comes_back_before_its_lost_attempt_has_noticed_takes_a_slot_of_its_own() -> None:
    capacity = Capacity({LIGHT: 2})
    attempts = [TaskRow(id="a", kind=TaskKind.PREDICT, attempt=attempt) for attempt in (1, 2)]
    waiting = Waiting(*attempts, task("b", TaskKind.PREDICT))
    with capacity.place(waiting.claim) as first:
        with capacity.place(waiting.claim) as second, capacity.place(waiting.claim) as third:
            assert [one and one.task.id for one in (first, second, third)] == ["a", "a", None]
        with capacity.place(waiting.claim) as fourth:
            assert fourth is not None


def test_memory_is_shared_out_but_what_is_too_big_for_the_machine_is_tried_alone() -> None:
    capacity = Capacity({TRAINING: 4}, memory_bytes=1000)
    waiting = Waiting(task("huge", memory_bytes=5000), task("small", memory_bytes=100))
    with capacity.place(waiting.claim) as placed:
        assert placed is not None
        assert placed.task.id == "huge"
        with capacity.place(waiting.claim) as beside:
            assert beside is None
    waiting = Waiting(task("a", memory_bytes=700), task("b", memory_bytes=400), task("c", memory_bytes=300))
    with ExitStack() as stack:
        placed_ids = [stack.enter_context(capacity.place(waiting.claim)) for _ in range(3)]
        assert [one.task.id if one else None for one in placed_ids] == ["a", "c", None]


def test_each_training_has_a_gpu_of_its_own_on_the_whole_machine(tmp_path: Path) -> None:
    here, beside = (Capacity({TRAINING: 2}, gpus=["0", "1"], locks=tmp_path) for _ in range(2))
    waiting = Waiting(task("a"), task("b"), task("c"))
    with ExitStack() as stack:
        placed = [stack.enter_context(one.place(waiting.claim)) for one in (here, beside, here)]
        devices = [one.environment["CUDA_VISIBLE_DEVICES"] if one else None for one in placed]
        assert devices == ["0", "1", None]
    with here.place(waiting.claim) as freed:
        assert freed is not None
        assert freed.environment == {"CUDA_VISIBLE_DEVICES": "0"}


def test_light_work_takes_no_gpu_that_a_training_holds(tmp_path: Path) -> None:
    capacity = Capacity({TRAINING: 1, LIGHT: 3}, gpus=["0"], devices=["cpu", "cuda"], locks=tmp_path)
    waiting = Waiting(task("plan", TaskKind.PLAN), task("a"))
    with capacity.place(Waiting(task("check", TaskKind.DATASET)).claim) as check:
        assert check is not None
        assert check.environment == {"CUDA_VISIBLE_DEVICES": ""}, "it computes nothing on a GPU"
        with capacity.place(waiting.claim) as training:
            assert training is not None
            assert (training.task.id, training.environment) == ("a", {"CUDA_VISIBLE_DEVICES": "0"})
            assert waiting.rooms[-1].devices == ["cpu", "cuda"]
            with capacity.place(waiting.claim) as plan:
                assert plan is not None
                assert (plan.task.id, plan.environment) == ("plan", {"CUDA_VISIBLE_DEVICES": ""})
                assert waiting.rooms[-1].devices == ["cpu"], "what needs a GPU waits"
    with capacity.place(Waiting(task("plan", TaskKind.PLAN)).claim) as plan:
        assert plan is not None
        assert plan.environment == {"CUDA_VISIBLE_DEVICES": "0"}
        with capacity.place(Waiting(task("b")).claim) as training:
            assert training is None


def test_a_training_waits_a_moment_for_who_only_looks_whether_there_is_work(tmp_path: Path) -> None:
    here, beside = (Capacity({TRAINING: 1}, gpus=["0"], locks=tmp_path) for _ in range(2))
    looks, may_end = threading.Event(), threading.Event()

    def look(_room: Room) -> TaskRow | None:
        looks.set()
        may_end.wait()
        return None

    def place_nothing() -> None:
        with here.place(look) as placed:
            assert placed is None

    looking = threading.Thread(target=place_nothing)
    looking.start()
    looks.wait()
    threading.Timer(0.05, may_end.set).start()
    with beside.place(Waiting(task("a")).claim) as placed:
        assert placed is not None
    looking.join()


def test_a_claim_that_fails_leaves_its_slot_and_its_gpu_free(tmp_path: Path) -> None:
    capacity = Capacity({TRAINING: 1}, gpus=["0"], locks=tmp_path)

    def broken(room: Room) -> TaskRow | None:
        raise RuntimeError(room)

    with pytest.raises(RuntimeError), capacity.place(broken):
        pass
    with capacity.place(Waiting(task("a")).claim) as placed:
        assert placed is not None


def test_the_machine_decides_unless_the_settings_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1, 3")
    assert visible_gpus() == ["GPU-1", "3"]
    assert machine_capacity(Settings(), [TaskKind.TRAIN]).num_slots == 2
    monkeypatch.setattr(capacity_of, "version", lambda _: "2.13.0+cu130")
    assert machine_capacity(Settings()).devices == ["cpu", "cuda"]
    monkeypatch.setattr(capacity_of, "version", lambda _: "2.13.0+cpu")
    assert machine_capacity(Settings()).devices == ["cpu"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
    assert machine_capacity(Settings(worker_slots=5), [TaskKind.TRAIN]).num_slots == 5
    assert machine_capacity(Settings(), [TaskKind.PLAN]).kinds == [TaskKind.PLAN]
    limit = tmp_path / "memory.max"
    limit.write_text("1000000\n")
    assert memory_limit_bytes(limit) == 1_000_000
    limit.write_text("max\n")
    assert memory_limit_bytes(limit) == memory_limit_bytes(tmp_path / "none") > 1_000_000
