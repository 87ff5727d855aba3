"""The callers of one route: one account of each role, and somebody else, whom nobody has met before."""

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.data import catalogue
from app.db.tables import Base
from app.domain.audit import AuditFilter
from app.domain.principal import Caller, Role
from app.services import accounts, audit_log
from app.services.platform import Platform
from tests.api.conftest import ADDRESS, PASSWORD, Account
from tests.api.permission_cases import Scope, Things
from tests.api_runs import Runs

TESTS = Caller(local_user="tests")


@dataclass(frozen=True)
class Cell:
    """One kind of caller: `role` is None for somebody who has not signed in."""

    role: Role | None
    relation: str


ANONYMOUS = Cell(None, "other")
RELATIONS: dict[Scope, tuple[str, ...]] = {
    "open": ("owner",),
    "own": ("owner", "other"),
    "task": ("owner", "other"),
    "read": ("owner", "other", "shared"),
    "change": ("owner", "other", "shared"),
}


def cells(scope: Scope) -> list[Cell]:
    return [ANONYMOUS, *(Cell(role, relation) for role in Role for relation in RELATIONS[scope])]


@dataclass
class Stage:
    """The callers of one route, signed in; nobody else has ever used their names."""

    platform: Platform
    app: FastAPI
    version: str
    prefix: str

    def __post_init__(self) -> None:
        self.runs = Runs(self.platform)
        self.anonymous = TestClient(self.app, base_url=ADDRESS, raise_server_exceptions=False)
        self.somebody = f"{self.prefix}-somebody"
        for name, role in [(self.somebody, Role.USER), *((self.name(role), role) for role in Role)]:
            accounts.create_user(self.platform, TESTS, name, PASSWORD, role)

    def name(self, role: Role) -> str:
        return f"{self.prefix}-{role}"

    def client(self, cell: Cell) -> TestClient:
        if cell.role is None:
            return self.anonymous
        name = self.name(cell.role)
        answer = self.anonymous.post("/login", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return Account(self.app, name, answer.json())

    def things(self, cell: Cell) -> Things:
        caller = self.name(cell.role) if cell.role else self.somebody
        owner = caller if cell.relation == "owner" else self.somebody
        reader = caller if cell.relation == "shared" else None
        return Things(self.platform, self.runs, owner, self.somebody, reader, self.version)

    def state(self) -> Any:
        """All that is stored, but for the audit log; what was sent to the queue; what is uploaded."""
        tables = [table for name, table in Base.metadata.tables.items() if not name.startswith("audit")]
        with self.platform.installation.database.read() as session:
            rows = [sorted(map(str, session.execute(select(table)))) for table in tables]
        uploads = self.platform.settings.uploads_dir
        names = sorted(str(path) for path in catalogue.names_directory(self.platform.settings.results_dir).rglob("*"))
        return rows, list(self.platform.queue.sent), sorted(uploads.rglob("*")), names  # type: ignore[attr-defined]

    def num_denials(self) -> int:
        """How often one of these callers was denied something, by the audit log."""
        self.platform.audit.record_counted_denials()
        wanted = AuditFilter(actor=f"{self.prefix}-*", action="access.denied", outcome="denied")
        events = audit_log.read_page(self.platform.audit, TESTS, wanted, 500, None).items
        return sum(event.details.get("repeated", 1) for event in events)

    def actions_of(self, request_id: str) -> set[str]:
        """What the audit log has of one request."""
        events = audit_log.read_page(self.platform.audit, TESTS, AuditFilter(), 20, None).items
        return {event.action for event in events if event.request_id == request_id and event.outcome != "denied"}
