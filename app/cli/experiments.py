"""`finetune experiments`: every run this installation knows, alone or side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import output
from app.cli.backend import backend
from app.cli.server import local_only

if TYPE_CHECKING:
    from app.services.installation import Installation

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a run.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
MAX_LISTED = 1_000_000
WHERE_HELP = "For example: accuracy > 0.9 and state = SUCCESS"


@app.command("list")
def list_(
    where: Annotated[str | None, typer.Option(metavar="CONDITION", help=WHERE_HELP)] = None,
    sort: Annotated[str | None, typer.Option(metavar="[-]COLUMN", help="Order; a minus means descending.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, max=MAX_LISTED, help="At most so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    found = backend().experiments.list(where, sort, limit)
    if as_json:
        output.show_json(found)
    elif not found and where is None:
        print("no runs yet; make one with `finetune train`")
    elif not found:
        print("no run matches")
    else:
        columns = ("name", "state", "created", "base model", "dataset", "accuracy", "macro F1", "seconds")
        output.show_table(columns, [_row(one) for one in found])


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show one run: state, scores, settings, lineage, checkpoints."""
    found = backend().experiments.show(name)
    if as_json:
        output.show_json(found)
        return
    from app.services.experiments import flatten

    facts = {key: found[key] for key in ("state", "stage", "created_at", "base_model", "dataset", "owner", "dir")}
    facts |= flatten(found["lineage"])
    if found["error"]:
        facts |= flatten({"error": found["error"]})
    output.show_table(("", found["name"]), [(key, _cell(value)) for key, value in facts.items()])
    if found["metrics"]:
        numbers = [(k, _cell(v)) for k, v in flatten(found["metrics"]).items() if not isinstance(v, list)]
        output.show_table(("metric", "value"), numbers)
    if found["plan"]:
        decisions = [(d["key"], _cell(d["value"]), d["reason"]) for d in found["plan"]["decisions"]]
        output.show_table(("chosen", "value", "why"), decisions)
    output.show_table(("setting", "value"), [(key, _cell(value)) for key, value in flatten(found["config"]).items()])


@app.command()
def compare(names: Names, as_json: AsJson = False) -> None:
    """Show where runs differ: settings, data, plan, scores."""
    different = list(dict.fromkeys(names))
    if len(different) < 2:
        raise typer.BadParameter("name at least two different runs")
    found = backend().experiments.compare(different)
    if as_json:
        output.show_json(found)
        return
    rows = []
    for part in ("data", "config", "plan", "metrics"):
        for key, values in found[part].items():
            gain = _gain(values) if part == "metrics" else ""
            rows.append((part, key, *(_cell(value) for value in values), gain))
    output.show_table(("", "differs in", *found["runs"], "change"), rows)


@app.command()
@local_only("experiments analyze")
def analyze(
    names: Names,
    as_json: AsJson = False,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curves.")] = None,
) -> None:
    """Show how runs learned: curves, best step, plateau, over-fitting, throughput dips."""
    from app.services.experiments import find_run
    from app.tools.analyze_metrics import main

    installation = _installation()
    runs = [str(find_run(installation, name).path) for name in names]
    status = main([*runs, *(["--json"] if as_json else []), *(["--png", str(png)] if png else [])])
    if status:
        raise typer.Exit(status)


@app.command()
def export(
    name: Name,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="NAME.zip without; - is stdout.")] = None,
    format_: Annotated[
        str | None, typer.Option("--format", metavar="json|csv|zip|tar.gz", help="By the file's name without.")
    ] = None,
) -> None:
    """Write one run to a file: record and metrics (json, csv) or its directory without checkpoints (zip, tar.gz)."""
    from app.runs.files import write_bytes_atomic
    from app.services import export as exporting

    to_stdout = out == Path("-")
    chosen = format_ or ("json" if to_stdout else exporting.format_of(out) if out else "zip")
    kind = exporting.format_of(Path(f"run.{chosen}"))
    runs = backend().experiments
    if to_stdout:
        print(runs.export_text(name, kind), end="")
        return
    path = out or Path(f"{name}.{kind}")
    exporting.refuse_existing(path)
    if kind in ("json", "csv"):
        write_bytes_atomic(path, runs.export_text(name, kind).encode())
    else:
        runs.export_archive(name, path, kind)
    print(output.printable(str(path)))


@app.command()
@local_only("experiments verify")
def verify(name: Name, as_json: AsJson = False) -> None:
    """Repeat the proof: a fresh process scores the saved model; files are compared with the receipt."""
    from app.services.experiments import find_run
    from app.services.verification import verify_run

    found = verify_run(find_run(_installation(), name))
    if as_json:
        output.show_json({"passed": found.passed, "changed": found.changed, "proof": found.proof.model_dump()})
    else:
        files = f"changed: {', '.join(found.changed)}" if found.changed else "all as in the receipt"
        print(f"{'passed' if found.passed else 'FAILED'}\n  files: {files}\n  model: {found.proof.detail}")
    if not found.passed:
        raise typer.Exit(output.EXIT_FAILED)


@app.command("import")
@local_only("experiments import")
def import_(path: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Directory of a run.")]) -> None:
    """Record a run that was made without this database."""
    from app.cli.recorded import recorded
    from app.runs.directory import RunDirectory
    from app.services.registration import import_run

    with recorded("experiment.import", f"experiment:{RunDirectory(path).name}"):
        name = import_run(_installation(), path)
    print(f"recorded {name}")


@app.command()
def assign(name: Name, owner: Annotated[str, typer.Argument(metavar="USER", help="'' takes it from all.")]) -> None:
    """Make somebody the owner of a run."""
    backend().experiments.assign(name, owner or None)
    print(f"{name} belongs to {output.printable(owner) or 'nobody'}")


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it only show what would go.")] = False,
) -> None:
    """Delete a run, its directory included; without --yes only show what would go."""
    from app.domain.quantities import format_bytes

    runs = backend().experiments
    what, size = runs.deletion(name)
    if yes:
        runs.delete(name)
        print(f"deleted {name} ({format_bytes(size)})")
    else:
        print(f"{output.printable(what)} ({format_bytes(size)}) and its record would go; give --yes to delete them")


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Without: the newest run.")] = None,
) -> None:
    """Print a run's log."""
    import sys

    place, lines = backend().experiments.log(name)
    print(output.printable(f"== {place}"), file=sys.stderr)
    for line in lines:
        print(output.printable(line), end="")


def _installation() -> "Installation":
    from app.services.installation import open_installation
    from app.settings import get_settings

    return open_installation(get_settings())


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    state = one["state"] if one["state"] != "STARTED" else f"{one['stage']} {100 * one['progress']:.0f} %"
    if one["error"]:
        state = f"{state} ({one['error']['code']})"
    return (
        one["name"],
        state,
        one["created_at"][:16].replace("T", " "),
        one["base_model"],
        one["dataset"],
        None if one["accuracy"] is None else f"{100 * one['accuracy']:.1f} %",
        None if one["macro_f1"] is None else f"{100 * one['macro_f1']:.1f} %",
        None if one["runtime_seconds"] is None else f"{one['runtime_seconds']:.1f}",
    )


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else str(value)


def _gain(values: list[Any]) -> str:
    first, last = values[0], values[-1]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (first, last))
    return f"{last - first:+.6g}" if numbers else ""
