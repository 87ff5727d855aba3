"""Background work: lists, where one task stands, what it writes, stop it, let it go on, wait for its end."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from app.client.endpoint import Call, Endpoint, Noun, endpoint
from app.client.following import follow
from app.client.pages import all_items
from app.domain.events import Event
from app.domain.task import TaskKind, TaskState
from app.schemas.paging import DEFAULT_LIMIT, Page
from app.schemas.tasks import LogChunk, MetricPoint, MetricSeries, TaskItem, TaskView

PointKind = Literal["step", "eval", "system"]
LOG_PIECE_BYTES = 1_000_000
MAX_POINTS = 5000


def nobody_listens(_news: object) -> None:
    """For whoever only wants the end."""


class Tasks(Noun):
    """`/tasks` and `/task/{task_id}`."""

    @endpoint("GET", "/tasks")
    def page(
        self,
        at: Endpoint,
        *,
        states: Sequence[TaskState] = (),
        kind: TaskKind | None = None,
        everyone: bool = False,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[TaskItem]:
        """One's own tasks, newest first, one page; for administrators everybody's where asked for."""
        call = at().query(state=list(states), kind=kind, limit=limit, cursor=cursor)
        return call.query(all=everyone or None).as_(Page[TaskItem])

    def all(
        self, *, states: Sequence[TaskState] = (), kind: TaskKind | None = None, everyone: bool = False
    ) -> Iterator[TaskItem]:
        """As `page`, all of them."""
        return all_items(
            lambda cursor, limit: self.page(states=states, kind=kind, everyone=everyone, limit=limit, cursor=cursor)
        )

    @endpoint("GET", "/task/{task_id}")
    def show(self, at: Endpoint, task_id: str) -> TaskView:
        """Where a task stands."""
        return at(task_id=task_id).as_(TaskView)

    @endpoint("POST", "/task/{task_id}/cancel")
    def cancel(self, at: Endpoint, task_id: str) -> TaskView:
        """Stop a task; a running training saves a checkpoint first. Conflict where it has ended."""
        return at(task_id=task_id).with_(harmless=True).as_(TaskView)

    @endpoint("POST", "/task/{task_id}/retry")
    def retry(self, at: Endpoint, task_id: str) -> TaskView:
        """Let a task go on that failed or was stopped."""
        return at(task_id=task_id).once().as_(TaskView)

    @endpoint("GET", "/task/{task_id}/logs")
    def log_piece(self, at: Endpoint, task_id: str, offset: int = 0, limit: int = 65_536) -> LogChunk:
        """A piece of the log, `limit` bytes at most; a negative offset counts from its end."""
        return at(task_id=task_id).query(offset=offset, limit=limit).as_(LogChunk)

    def log(self, task_id: str) -> Iterator[str]:
        """The log as far as it is written, in pieces of any length."""
        offset = 0
        while True:
            piece = self.log_piece(task_id, offset, LOG_PIECE_BYTES)
            if piece.next_offset <= offset:
                return
            yield piece.text
            offset = piece.next_offset

    @endpoint("GET", "/task/{task_id}/metrics")
    def metrics(
        self,
        at: Endpoint,
        task_id: str,
        *,
        kinds: Sequence[PointKind] = (),
        since: int = 0,
        max_points: int = 1000,
        thin: bool = True,
    ) -> MetricSeries:
        """What a training reported after point `since`: thinned out to `max_points`, or the first of them."""
        call = at(task_id=task_id).query(kinds=list(kinds), since=since, max_points=max_points, thin=thin)
        return call.as_(MetricSeries)

    @endpoint("GET", "/task/{task_id}/events")
    def _events(self, at: Endpoint, task_id: str) -> Call:
        return at(task_id=task_id)

    def follow(self, task_id: str) -> Iterator[TaskView | Event]:
        """Everything a task reports and how it moves on, as it happens; ends with the task.

        A connection that breaks is taken up again where it broke, and nothing is told twice.
        """
        return follow(self._events(task_id))

    def wait(
        self,
        task_id: str,
        progress: Callable[[Event], None] = nobody_listens,
        *,
        standing: Callable[[TaskView], None] = nobody_listens,
    ) -> TaskView:
        """Wait until a task has ended; where it stands then, whichever way it ended.

        `progress` hears of every event of a run, the same that a training on this machine reports; `standing` of the
        task itself, whenever its state or stage changes.
        """
        while True:
            for news in self.follow(task_id):
                if isinstance(news, TaskView):
                    standing(news)
                else:
                    progress(news)
            found = self.show(task_id)
            if found.status.is_final:
                return found

    def points(self, task_id: str) -> list[MetricPoint]:
        """All points a training reported, none left out."""
        found: list[MetricPoint] = []
        since = 0
        while True:
            series = self.metrics(task_id, since=since, max_points=MAX_POINTS, thin=False)
            found += series.points
            if len(series.points) >= series.matching:
                return found
            since = series.last_id
