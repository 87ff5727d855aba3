"""`finetune audit`: who did what on this installation, and whether that record is whole."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import output
from app.cli.backend import backend
from app.cli.server import local_only

if TYPE_CHECKING:
    from app.domain.audit import AuditFilter

app = typer.Typer(no_args_is_help=True)

Actor = Annotated[str | None, typer.Option(metavar="NAME", help="By whom; `local:NAME` for the command line.")]
Action = Annotated[str | None, typer.Option(metavar="NOUN.VERB", help="What; `session.*` for all that begins so.")]
Resource = Annotated[str | None, typer.Option(metavar="KIND:NAME", help="On what; `dataset:*` for all data sets.")]
Outcome = Annotated[str | None, typer.Option(metavar="WORD", help="success, denied, failed or started.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="2026-01-31, or with a time; UTC without a zone.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="The first moment that does not count any more.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@app.command("list")
def list_(
    actor: Actor = None,
    action: Action = None,
    resource: Resource = None,
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show events, newest first."""
    found = backend().audit.list(_filter(actor, action, resource, outcome, since, until), limit)
    if as_json:
        output.show_json([event.model_dump(mode="json") for event in found])
    elif not found:
        print("no event matches")
    else:
        columns = ("id", "time", "actor", "action", "resource", "outcome", "from")
        rows = [(e.id, f"{e.time:%Y-%m-%d %H:%M:%S}", e.actor, e.action, e.resource, e.outcome, e.ip) for e in found]
        output.show_table(columns, rows)


@app.command()
def verify(
    expect: Annotated[
        str | None, typer.Option(metavar="ID:HASH", help="A head noted earlier, which the log must still contain.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every event, their order, their end and the signed checkpoints; exit 1 names the first bad id."""
    expected = _head_in(expect) if expect is not None else None
    with output.progress_stages(show=not as_json) as hear:
        found = backend().audit.verify(expected, hear)
    if as_json:
        output.show_json(found.model_dump(mode="json"))
    elif not found.faults:
        print(f"{found.events} events and {found.checkpoints} checkpoints are as they were recorded")
        if found.accepted:
            print(f"but for {len(found.accepted)} faults that were accepted: finetune audit list --action audit.reseal")
        print(f"head {found.events}:{found.head_hash}")
    else:
        if found.first_bad_id is not None:
            print(f"first bad id: {found.first_bad_id}")
        for fault in found.faults:
            print(fault.what)
    if found.faults:
        raise typer.Exit(output.EXIT_FAILED)


@app.command()
def export(
    out: Annotated[Path, typer.Option(metavar="FILE.jsonl|csv", help="- is stdout.")],
    actor: Actor = None,
    action: Action = None,
    resource: Resource = None,
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
    format_: Annotated[
        str | None, typer.Option("--format", metavar="jsonl|csv", help="By the file's name without.")
    ] = None,
) -> None:
    """Write events with their hashes to a file, oldest first."""
    to_stdout = out == Path("-")
    chosen = format_ or ("jsonl" if to_stdout else out.suffix.removeprefix("."))
    if chosen not in ("jsonl", "csv"):
        raise typer.BadParameter(
            f"cannot tell the format from {chosen or out.name!r}; end the name with .jsonl or .csv"
        )
    wanted = _filter(actor, action, resource, outcome, since, until)
    if not to_stdout:
        num_events = backend().audit.export_file(wanted, chosen, out)  # type: ignore[arg-type]
        print(f"{num_events} events are in {out}")
        return
    for text in backend().audit.export(wanted, chosen):  # type: ignore[arg-type]
        print(text, end="")


@app.command()
@local_only("audit checkpoint")
def checkpoint(as_json: AsJson = False) -> None:
    """Sign what the log holds now; the line, kept on another machine, is what `verify --expect` takes."""
    from app.cli.local import LocalAudit

    made = LocalAudit().log.checkpoint()
    if as_json:
        output.show_json(vars(made))
    else:
        print(f"{made.id}:{made.hash}")


@app.command()
@local_only("audit reseal")
def reseal(
    reason: Annotated[str, typer.Option(metavar="SENTENCE", help="What happened; it is recorded.")],
) -> None:
    """Accept what `verify` found, once it is understood, so that the log goes on; restart the platform afterwards."""
    from app.cli.local import LocalAudit
    from app.services.audit_log import reseal as seal_anew
    from app.services.terminal import local_caller

    found = seal_anew(LocalAudit().log, local_caller(), reason)
    print(f"{len(found.faults)} faults are accepted; start the platform again")


def _filter(
    actor: str | None,
    action: str | None,
    resource: str | None,
    outcome: str | None,
    since: str | None,
    until: str | None,
) -> "AuditFilter":
    from app.domain.audit import AuditFilter

    if outcome not in (None, "success", "denied", "failed", "started"):
        raise typer.BadParameter(f"there is no outcome {outcome!r}; success, denied, failed and started are")
    return AuditFilter(actor, action, resource, outcome, _time(since), _time(until))


def _time(word: str | None) -> datetime | None:
    if word is None:
        return None
    try:
        time = datetime.fromisoformat(word)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{word!r} is no time; write 2026-01-31 or 2026-01-31T09:30:00Z") from None


def _head_in(word: str) -> tuple[int, str]:
    event_id, _, hash_ = word.partition(":")
    if not event_id.isdecimal() or len(hash_) != 64:
        raise typer.BadParameter(f"{word!r} is no ID:HASH as `finetune audit verify` prints it")
    return int(event_id), hash_
