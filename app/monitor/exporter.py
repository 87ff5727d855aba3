"""Prometheus text: what this process has answered since it started, and what the database says at this moment.

Numbers of the installation come from the database at each scrape, so they are right however many processes there
are; request counters are this process's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True)
class InstallationNumbers:
    """`tasks` by state; `active_tasks`, those that have not ended, by kind and state; `accounts` by role.

    `oldest_waiting_seconds` is 0 where nothing waits.
    """

    tasks: Mapping[str, int]
    active_tasks: Mapping[tuple[str, str], int]
    oldest_waiting_seconds: float
    experiments: int
    accounts: Mapping[str, int]
    datasets: int
    dataset_bytes: int
    audit_events: int


class RequestNumbers:
    """What one application has answered: by method, by the route's own path (never the address) and by status."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._answered = Counter(
            "finetune_http_requests", "Requests answered", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "finetune_http_request_seconds",
            "Seconds until a request was answered, streams of events left out",
            ("method", "route"),
            buckets=_BUCKETS_SECONDS,
            registry=self._registry,
        )
        self._running = Gauge("finetune_http_requests_in_progress", "Requests being answered", registry=self._registry)

    def begin(self) -> None:
        """A request came in."""
        self._running.inc()

    def end(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """It was answered; `seconds` None does not count as a time."""
        known = method if method in METHODS else "OTHER"
        self._running.dec()
        self._answered.labels(known, route, str(status)).inc()
        if seconds is not None:
            self._seconds.labels(known, route).observe(seconds)

    def text(self, numbers: InstallationNumbers) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry) + generate_latest(_registry_of(numbers))


def _registry_of(numbers: InstallationNumbers) -> CollectorRegistry:
    registry = CollectorRegistry()

    def gauge(name: str, what: str, values: Mapping[Any, float], labels: tuple[str, ...] = ()) -> None:
        """One number for each tuple of labels."""
        made = Gauge(f"finetune_{name}", what, labels, registry=registry)
        for names, value in values.items():
            (made.labels(*names) if labels else made).set(value)

    gauge("tasks", "Tasks by state", {(state,): n for state, n in numbers.tasks.items()}, ("state",))
    gauge("active_tasks", "Tasks that have not ended", numbers.active_tasks, ("kind", "state"))
    gauge("oldest_waiting_seconds", "How long the first waiting task waits", {(): numbers.oldest_waiting_seconds})
    gauge("experiments", "Experiments recorded", {(): numbers.experiments})
    gauge("accounts", "Accounts by role", {(role,): n for role, n in numbers.accounts.items()}, ("role",))
    gauge("datasets", "Data sets stored", {(): numbers.datasets})
    gauge("dataset_bytes", "Bytes of stored data sets", {(): numbers.dataset_bytes})
    gauge("audit_events", "Events in the audit log", {(): numbers.audit_events})
    return registry
