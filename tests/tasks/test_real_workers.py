import time
from collections.abc import Callable

from tests.tasks.conftest import House, WorkerProcess, wait_for


def test_a(real_house: House, start_worker: Callable[..., WorkerProcess]) -> None:
    a = time.time()
    worker = start_worker(real_house)
    task_id = real_house.submit()
    print("submitted", time.time() - a)
    wait_for(lambda: real_house.task(task_id).state == "STARTED")
    print("started", time.time() - a)
    wait_for(lambda: real_house.task(task_id).stage == "training")
    print("training", time.time() - a)
    wait_for(lambda: real_house.task(task_id).state not in ("STARTED", "PENDING"))
    print("ended", time.time() - a)
    task = real_house.task(task_id)
    print(task.state, task.error_code, task.error_detail, task.attempt)
    b = time.time()
    assert worker.end() == 0
    print("end", time.time() - b)
    assert 0
