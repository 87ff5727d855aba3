"""Every step of every task, one by one, as the database itself sees it; and which of them may not be.

Triggers of the campaign write a step down in the transaction that takes it, so none is missed and none is made up.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text

from app.db.tables import AuditEventRow
from app.domain.task import TaskState, may_follow
from tests.tasks.conftest import House

WAITING = (TaskState.PENDING, TaskState.RETRY)


@dataclass(frozen=True)
class Step:
    """What one change of a task's row did; before it was added it was in no state."""

    old_state: str | None
    new_state: str
    old_attempt: int | None
    new_attempt: int
    old_token: str | None
    new_token: str | None

    @property
    def is_claim(self) -> bool:
        """Whether a worker took the task to work on it."""
        return self.new_state == TaskState.STARTED and self.old_state != TaskState.STARTED

    @property
    def is_takeover(self) -> bool:
        """Whether a running attempt was taken from its worker, for its end to be recorded."""
        return self.new_state == self.old_state == TaskState.STARTED and self.new_token != self.old_token

    @property
    def audited(self) -> str | None:
        """What the audit log has to say of it; what workers do between them is not in there."""
        if self.old_state is None:
            return "submit"
        if self.old_state == TaskState.STARTED and TaskState(self.new_state).is_final:
            return f"finish {self.new_state}"
        if self.old_state in WAITING and self.new_state == TaskState.REVOKED:
            return "cancel"
        if TaskState(self.old_state).is_final and self.new_state == TaskState.RETRY:
            return f"retry {self.old_state}"
        return None


def keep_record(house: House) -> None:
    """From now on every change of a task's state, attempt or token is written down."""
    database = house.platform.installation.database
    statements = _POSTGRESQL if database.engine.url.get_backend_name() == "postgresql" else _SQLITE
    with database.write() as session:
        for statement in statements:
            session.execute(text(statement))


def read_record(house: House) -> dict[str, list[Step]]:
    """The steps of each task, in their order."""
    found: dict[str, list[Step]] = defaultdict(list)
    with house.platform.installation.database.read() as session:
        for task_id, *values in session.execute(text(f"SELECT {_COLUMNS} FROM chaos_steps ORDER BY id")):
            found[task_id].append(Step(*values))
    return found


def read_audit(house: House) -> dict[str, list[str]]:
    """What the audit log says of each task, in the words of `Step.audited`."""
    found: dict[str, list[str]] = defaultdict(list)
    with house.platform.installation.database.read() as session:
        query = select(AuditEventRow.resource, AuditEventRow.action, AuditEventRow.details)
        query = query.where(AuditEventRow.resource.like("task:%"), AuditEventRow.outcome.in_(["success", "failed"]))
        for resource, action, details in session.execute(query.order_by(AuditEventRow.id)):
            word = _word(action, details)
            if word is not None:
                found[resource.removeprefix("task:")].append(word)
    return found


def _word(action: str, details: Mapping[str, Any]) -> str | None:
    if action.endswith(".submit"):
        return "submit"
    if action == "task.finish":
        return f"finish {details['state']}"
    if action == "task.retry":
        return f"retry {details['was']}"
    # Whoever works on it may end it otherwise: that is a step of its own.
    return "cancel" if action == "task.cancel" and details["state"] == TaskState.REVOKED else None


def illegal(steps: Sequence[Step], audited: Sequence[str]) -> Iterator[str]:
    """What may not be in the record of one task, beside what the audit log says of it."""
    if not steps or steps[0].old_state is not None or steps[0].new_state != TaskState.PENDING:
        yield f"its record begins with {steps[:1]}"
    tokens: set[str | None] = set()
    for before, step in zip([None, *steps], steps, strict=False):
        if before is not None and step.old_state != before.new_state:
            yield f"was {before.new_state}, and left {step.old_state}"
        if before is not None:
            yield from _of_step(step)
            if before.is_takeover and not step.is_takeover and step.new_state == TaskState.STARTED:
                yield f"went on as attempt {step.new_attempt} after it was taken from its worker"
        if step.new_token != step.old_token:
            if step.new_token in tokens:
                yield f"was taken twice with the token {step.new_token}"
            tokens.add(step.new_token)
    told = [step.audited for step in steps if step.audited]
    if told != list(audited):
        yield f"its record says {told}, the audit log {list(audited)}"


def _of_step(step: Step) -> Iterator[str]:
    old, new = TaskState(step.old_state or ""), TaskState(step.new_state)
    if old != new and not may_follow(old, new):
        yield f"went from {old} to {new}"
    if step.new_attempt < (step.old_attempt or 0):
        yield f"went from attempt {step.old_attempt} to {step.new_attempt}"
    if step.new_token != step.old_token and not (step.is_claim or step.is_takeover):
        yield f"was taken on the step from {old} to {new}"
    if step.is_claim and step.new_token == step.old_token:
        yield f"was started again with the token {step.new_token}"
    if step.new_attempt != step.old_attempt and (new != TaskState.STARTED or step.is_takeover):
        yield f"became attempt {step.new_attempt} on the step from {old} to {new}"


_COLUMNS = "task_id, old_state, new_state, old_attempt, new_attempt, old_token, new_token"
_TABLE = f"CREATE TABLE chaos_steps (id {{key}}, {', '.join(f'{name} VARCHAR(36)' for name in _COLUMNS.split(', '))})"
_TABLE = _TABLE.replace("attempt VARCHAR(36)", "attempt INTEGER")
_ADD = f"INSERT INTO chaos_steps ({_COLUMNS}) VALUES "
_ADDED = f"{_ADD} (NEW.id, NULL, NEW.state, NULL, NEW.attempt, NULL, NEW.token);"
_CHANGED = f"{_ADD} (NEW.id, OLD.state, NEW.state, OLD.attempt, NEW.attempt, OLD.token, NEW.token);"
_SQLITE = [
    _TABLE.format(key="INTEGER PRIMARY KEY AUTOINCREMENT"),
    f"CREATE TRIGGER chaos_added AFTER INSERT ON tasks BEGIN {_ADDED} END",
    f"""CREATE TRIGGER chaos_changed AFTER UPDATE ON tasks
        WHEN OLD.state <> NEW.state OR OLD.attempt <> NEW.attempt OR OLD.token IS NOT NEW.token
        BEGIN {_CHANGED} END""",
]
_POSTGRESQL = [
    _TABLE.format(key="BIGINT GENERATED ALWAYS AS IDENTITY"),
    f"""CREATE FUNCTION chaos_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'INSERT' THEN {_ADDED} ELSE {_CHANGED} END IF; RETURN NULL; END $$""",
    "CREATE TRIGGER chaos_added AFTER INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION chaos_step()",
    """CREATE TRIGGER chaos_changed AFTER UPDATE ON tasks FOR EACH ROW
        WHEN (OLD.state <> NEW.state OR OLD.attempt <> NEW.attempt OR OLD.token IS DISTINCT FROM NEW.token)
        EXECUTE FUNCTION chaos_step()""",
]
