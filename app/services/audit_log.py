"""Reading the audit log: pages of it, all of it as a stream, whether it is whole. Each reading is recorded itself."""

import csv
import io
import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from app.db.repositories import audit as repository
from app.db.tables.base import utc_now
from app.domain.audit import AuditFilter, ChainedEvent, Verification
from app.domain.errors import AuditUnavailable, Conflict, InvalidInput
from app.domain.principal import Caller
from app.domain.wording import say
from app.monitor.audit_utils import rfc3339
from app.runs.files import storage_errors
from app.schemas.audit import AuditItem, AuditVerification
from app.schemas.paging import MAX_COUNTED, Page
from app.services.audit_verification import verify, wrong_before
from app.services.auditing import AuditLog
from app.services.paging import decode_cursor, encode_cursor

ExportFormat = Literal["jsonl", "csv"]
CHUNK = 1_000
COLUMNS = (
    "id",
    "time",
    "actor",
    "action",
    "resource",
    "outcome",
    "ip",
    "request_id",
    "details",
    "previous_hash",
    "hash",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run."""
_MAX_FAULTS_TOLD = 5
_verifying = threading.Lock()


def read_page(audit: AuditLog, caller: Caller, wanted: AuditFilter, limit: int, cursor: str | None) -> Page[AuditItem]:
    """Events, newest first; what is shown was recorded before it is shown, and is not among what is shown."""
    scope = f"audit {asdict(wanted)}"
    before_id = None if cursor is None else _id_in(cursor, scope)
    with audit.database.read() as session:
        events = repository.newest(session, wanted, before_id, limit + 1)
        total = repository.count(session, wanted, MAX_COUNTED + 1)
    audit.append_now(caller, "audit.read", "audit:logs", details={**_facts(wanted), "items": min(limit, len(events))})
    shown = [AuditItem.model_validate(event) for event in events[:limit]]
    return Page[AuditItem](
        items=shown,
        total=total if total <= MAX_COUNTED else None,
        next=encode_cursor(scope, [shown[-1].id]) if len(events) > limit else None,
    )


def export(
    audit: AuditLog, caller: Caller, wanted: AuditFilter, kind: ExportFormat, *, is_forensic: bool = False
) -> Iterator[str]:
    """The events that match, oldest first, in texts of many lines; recorded before the first one is given.

    Each has its hashes, so that a copy can be checked against the log. `is_forensic` lets a log be read that nothing
    can be appended to any more, because its head is forged.
    """
    try:
        audit.append_now(caller, "audit.export", "audit:logs", details={**_facts(wanted), "format": kind})
    except AuditUnavailable as error:
        if not is_forensic or error.code != "audit.tampered":
            raise
    return _exported(audit, wanted, kind)


def write_file(audit: AuditLog, caller: Caller, wanted: AuditFilter, kind: ExportFormat, path: Path) -> int:
    """Export to a new file, which is whole or not there; how many events it has. Conflict when the file exists."""
    _refuse_existing(path)
    return write_text(export(audit, caller, wanted, kind, is_forensic=True), kind, path)


def write_text(texts: Iterable[str], kind: ExportFormat, path: Path) -> int:
    """Write exported texts to a new file, which is whole or not there; how many events it has."""
    _refuse_existing(path)
    temporary = path.with_name(f".{path.name}.tmp")
    num_events = 0 if kind == "jsonl" else -1  # the line of column names is none
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                for text in texts:
                    num_events += text.count("\n")
                    file.write(text)
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
    return num_events


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise Conflict(say("{path} exists already", path=path), hint="choose another --out")


def verify_for(audit: AuditLog, caller: Caller) -> AuditVerification:
    """Check the whole log for somebody; Conflict while this process is at it for somebody else."""
    if not _verifying.acquire(blocking=False):
        raise Conflict("the audit log is being checked already", hint="try again in a minute", code="audit.busy")
    try:
        found = verify(audit)
    finally:
        _verifying.release()
    answer = AuditVerification(
        ok=not found.faults,
        events=found.events,
        checkpoints=found.checkpoints,
        head_hash=found.head_hash,
        first_bad_id=found.first_bad_id,
        faults=[asdict(fault) for fault in found.faults],  # type: ignore[misc]
        accepted=[asdict(fault) for fault in found.accepted],  # type: ignore[misc]
    )
    try:
        audit.append_now(
            caller,
            "audit.verify",
            "audit:logs",
            "success" if answer.ok else "failed",
            {"events": found.events, "first_bad_id": found.first_bad_id},
        )
    except AuditUnavailable as error:
        # That the log was forged is what the caller has to hear.
        if error.code != "audit.tampered":
            raise
    return answer


def reseal(audit: AuditLog, caller: Caller, reason: str) -> Verification:
    """Accept what is wrong with the log after it was looked into, so that it goes on and later faults show again.

    What was found is recorded in the log and kept in the seal, the checkpoints so far are put aside. Conflict where
    nothing is wrong. Running processes must be started again.
    """
    found = verify(audit)
    if not found.faults:
        raise Conflict("nothing is wrong with the audit log, so there is nothing to accept", code="audit.whole")
    faults = [fault.what for fault in found.faults[:_MAX_FAULTS_TOLD]]
    head = audit.reseal(caller, {"reason": reason, "first_bad_id": found.first_bad_id, "faults": faults})
    audit.checkpoints.begin_anew(head, utc_now(), wrong_before(audit, head.last_id))
    return found


def _exported(audit: AuditLog, wanted: AuditFilter, kind: ExportFormat) -> Iterator[str]:
    with audit.database.read() as session:
        last_id = repository.last_id(session)
    if kind == "csv":
        yield _csv([COLUMNS])
    after_id = 0
    while after_id < last_id:
        with audit.database.read() as session:
            events = repository.chain_after(session, after_id, CHUNK, wanted)
        if not events:
            return
        after_id = events[-1].event.id
        records = [_record(chained) for chained in events if chained.event.id <= last_id]
        if kind == "csv":
            yield _csv([[_cell(value) for value in record.values()] for record in records])
        else:
            yield "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _record(chained: ChainedEvent) -> dict[str, Any]:
    event = {**vars(chained.event), "time": rfc3339(chained.event.time)}
    return {**event, "previous_hash": chained.previous_hash, "hash": chained.hash}


def _csv(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A value as a cell: details as JSON, and no text that a spreadsheet would take for a formula."""
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
    return f"'{shown}" if isinstance(shown, str) and shown.startswith(_FORMULA) else shown


def _id_in(cursor: str, scope: str) -> int:
    (event_id,) = decode_cursor(cursor, scope, (int,))
    if not isinstance(event_id, int):
        raise InvalidInput("the cursor is damaged", hint="take `next` of the page before", code="page.invalid")
    return event_id


def _facts(wanted: AuditFilter) -> dict[str, Any]:
    return {name: value for name, value in asdict(wanted).items() if value is not None}
