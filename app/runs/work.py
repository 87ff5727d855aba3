"""The directory of work that is no training: what was asked for, and the same files a run has for what comes of it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from app.domain.task import TaskKind
from app.runs.directory import RunDirectory
from app.runs.files import read_record, write_json


class WorkOrder(BaseModel):
    """`work.json`: what a child that does such work is given."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    kind: TaskKind
    payload: dict[str, object] = Field(default_factory=dict)


class WorkDirectory(RunDirectory):
    """Paths of one piece of work, two levels below the installation's results."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.order = self.path / "work.json"

    @property
    def results_dir(self) -> Path:
        """The directory of the installation the work is for."""
        return self.path.parents[1]


def work_directory(results_dir: Path, kind: TaskKind, task_id: str) -> WorkDirectory:
    """Where a task's work is done; predictions are kept, of the rest only what the database has."""
    if kind is TaskKind.PREDICT:
        return WorkDirectory(results_dir / "predictions" / task_id)
    return WorkDirectory(results_dir / "cache" / f"work-{task_id}")


def write_order(work: WorkDirectory, order: WorkOrder) -> None:
    """Make the directory; what is there already stays."""
    if not work.order.is_file():
        write_json(work.order, order.model_dump(mode="json"))


def read_order(work: WorkDirectory) -> WorkOrder:
    """What is asked for; StorageError where the directory is no work."""
    return read_record(work.order, WorkOrder)
