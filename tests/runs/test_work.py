"""Work that is no training: what an attempt takes away, and what the next one finds."""

from pathlib import Path
from typing import Any

import pytest

from app.domain.events import ResultGiven, RunFinished
from app.domain.task import TaskKind, TaskState
from app.runs.event_log import read_events
from app.runs.lock import next_attempt
from app.runs.turn import Turn
from app.runs.work import WorkDirectory, WorkOrder, carry_out, write_order


@pytest.fixture
def work(tmp_path: Path) -> WorkDirectory:
    """Work that counts the lines of a file."""
    made = WorkDirectory(tmp_path / "work")
    made.path.mkdir()
    write_order(made, WorkOrder(task_id="1", kind=TaskKind.DATASET, payload={"file": str(tmp_path / "lines")}))
    (tmp_path / "lines").write_text("one\ntwo\n")
    return made


def count_lines(_work: WorkDirectory, order: WorkOrder, _turn: Turn) -> dict[str, Any]:
    return {"lines": Path(order.payload["file"]).read_text().count("\n")}


def remove_file(order: WorkOrder) -> None:
    Path(order.payload["file"]).unlink()


def test_what_an_attempt_succeeded_in_is_not_done_again_by_the_one_that_took_over(work: WorkDirectory) -> None:
    next_attempt(work, "first")
    assert carry_out(work.path, count_lines, remove_file) == 0
    # Its worker stood still meanwhile; another one takes over, and the file is gone.
    next_attempt(work, "second")
    assert carry_out(work.path, count_lines) == 0
    events = read_events(work.events)
    assert [event.result for event in events if isinstance(event, ResultGiven)] == [{"lines": 2}]
    ended = [(event.attempt, event.state) for event in events if isinstance(event, RunFinished)]
    assert ended == [(1, TaskState.SUCCESS), (2, TaskState.SUCCESS)]


def test_an_attempt_that_dies_has_taken_nothing_from_the_next_one(work: WorkDirectory) -> None:
    def dies(order: WorkOrder) -> None:
        assert [event.state for event in read_events(work.events) if isinstance(event, RunFinished)] == ["SUCCESS"]
        raise KeyboardInterrupt

    next_attempt(work, "first")
    with pytest.raises(KeyboardInterrupt):
        carry_out(work.path, count_lines, dies)
    next_attempt(work, "second")
    assert carry_out(work.path, count_lines, remove_file) == 0
    assert not Path(work.path.parent / "lines").exists()
