"""What a page has heard of a task so far, so that each look asks for the news alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.client.client import Client
from app.domain.task import TaskKind
from app.schemas.tasks import MetricPoint, TaskView

MAX_POINTS = 1000
"""Of each kind on a page; what is more is thinned out by the server."""
LOG_BYTES = 65_536
MAX_LOG = 200_000


@dataclass
class Watched:
    """One task: its newest view, its points and the end of its log."""

    task_id: str
    task: TaskView | None = None
    points: list[MetricPoint] = field(default_factory=list)
    last_id: int = 0
    log: str = ""
    log_offset: int | None = None

    def look(self, client: Client) -> TaskView:
        """Fetch what is new."""
        self.task = client.tasks.show(self.task_id)
        if self.task.kind is TaskKind.TRAIN:
            self._hear_points(client)
        self._read_log(client)
        return self.task

    def of_kind(self, kind: str) -> list[MetricPoint]:
        """The points of a kind in order of steps, each step once."""
        return newest_attempt(point for point in self.points if point.kind == kind)

    def _hear_points(self, client: Client) -> None:
        news = client.tasks.metrics(self.task_id, since=self.last_id, max_points=MAX_POINTS)
        self.points += news.points
        self.last_id = news.last_id
        if len(self.points) > 2 * MAX_POINTS:
            everything = client.tasks.metrics(self.task_id, max_points=MAX_POINTS)
            self.points, self.last_id = everything.points, everything.last_id

    def _read_log(self, client: Client) -> None:
        offset = -LOG_BYTES if self.log_offset is None else self.log_offset
        piece = client.tasks.log_piece(self.task_id, offset, LOG_BYTES)
        self.log = (self.log + piece.text)[-MAX_LOG:]
        self.log_offset = piece.next_offset


def newest_attempt(points: Iterable[MetricPoint]) -> list[MetricPoint]:
    """A run that went on from a checkpoint repeats the steps after it: of these the newest report counts."""
    kept: list[MetricPoint] = []
    for point in sorted(points, key=lambda one: one.id):
        while kept and point.attempt > kept[-1].attempt and (kept[-1].step or 0) >= (point.step or 0) > 0:
            kept.pop()
        kept.append(point)
    return kept
