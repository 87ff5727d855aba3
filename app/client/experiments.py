"""Experiments: lists, one in full, several side by side; whose they are, and their end."""

from collections.abc import Iterator, Sequence

from app.client.endpoint import Endpoint, Noun, body_of, endpoint
from app.client.pages import all_items
from app.client.tasks import PointKind
from app.schemas.experiments import Assignment, Comparison, Deletion, ExperimentItem, ExperimentView
from app.schemas.paging import DEFAULT_LIMIT, Page
from app.schemas.tasks import MetricSeries


class Experiments(Noun):
    """`/experiments` and `/me/experiments`."""

    @endpoint("GET", "/experiments")
    def page(
        self,
        at: Endpoint,
        *,
        where: str | None = None,
        sort: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[ExperimentItem]:
        """Everybody's, newest first unless `sort` says otherwise; for administrators."""
        return at().query(where=where, sort=sort, limit=limit, cursor=cursor).as_(Page[ExperimentItem])

    @endpoint("GET", "/me/experiments")
    def own_page(
        self,
        at: Endpoint,
        *,
        where: str | None = None,
        sort: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[ExperimentItem]:
        """One's own and those shared with one, newest first unless `sort` says otherwise."""
        return at().query(where=where, sort=sort, limit=limit, cursor=cursor).as_(Page[ExperimentItem])

    def all(
        self, *, everyone: bool = False, where: str | None = None, sort: str | None = None, at_most: int | None = None
    ) -> Iterator[ExperimentItem]:
        """One's own, or everybody's, fetched as they are needed."""
        page = self.page if everyone else self.own_page
        return all_items(lambda cursor, limit: page(where=where, sort=sort, limit=limit, cursor=cursor), at_most)

    @endpoint("GET", "/experiments/compare")
    def compare(self, at: Endpoint, names: Sequence[str]) -> Comparison:
        """Where runs differ."""
        return at().query(names=list(names)).as_(Comparison)

    @endpoint("GET", "/experiments/{name}")
    def show(self, at: Endpoint, name: str) -> ExperimentView:
        """Everything that is known of a run."""
        return at(name=name).as_(ExperimentView)

    @endpoint("GET", "/experiments/{name}/metrics")
    def metrics(
        self,
        at: Endpoint,
        name: str,
        *,
        kinds: Sequence[PointKind] = (),
        since: int = 0,
        max_points: int = 1000,
        thin: bool = True,
    ) -> MetricSeries:
        """What a run reported, as its task's metrics; also for those it is shared with."""
        call = at(name=name).query(kinds=list(kinds), since=since, max_points=max_points, thin=thin)
        return call.as_(MetricSeries)

    @endpoint("GET", "/experiments/{name}/deletion")
    def deletion(self, at: Endpoint, name: str) -> Deletion:
        """First step of deleting: what would go."""
        return at(name=name).as_(Deletion)

    @endpoint("DELETE", "/experiments/{name}")
    def delete(self, at: Endpoint, name: str, *, confirm: str) -> None:
        """Second step: record, shares and files go; `confirm` repeats the name."""
        return at(name=name).query(confirm=confirm).as_(type(None))

    @endpoint("POST", "/experiments/{name}/assign")
    def assign(self, at: Endpoint, name: str, owner: str | None) -> ExperimentItem:
        """Give a run to an account; None takes it from everybody. For administrators."""
        return at(name=name).with_(harmless=True).json(body_of(Assignment, owner=owner)).as_(ExperimentItem)
