"""`finetune data add|list|show|diff|export|remove|gc`: stored, named versions of labelled data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import output

if TYPE_CHECKING:
    from app.domain.data_version import NamedVersion, VersionDiff, VersionManifest

MAX_EXAMPLES = 5
MAX_TEXT = 60

Version = Annotated[str, typer.Argument(metavar="NAME@V", help="A stored version; NAME alone is its newest.")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document")]
Column = Annotated[str, typer.Option(help="column name; its number where there is no header")]
Codes = Annotated[list[str] | None, typer.Option(metavar="CODE", help="findings that shall not block")]
Blocked = Annotated[list[str] | None, typer.Option(metavar="CODE", help="findings that shall block")]


def register(app: typer.Typer) -> None:
    """Hang the commands under `finetune data`."""
    for name, command in (
        ("add", add),
        ("list", list_),
        ("show", show),
        ("diff", diff),
        ("export", export),
        ("remove", remove),
        ("gc", gc),
    ):
        app.command(name)(command)


def add(
    file: Annotated[str, typer.Argument(metavar="FILE", help="labelled rows: a file, or hub:ID")],
    name: Annotated[str, typer.Option(help="what the data set is called")],
    eval_data: Annotated[str | None, typer.Option(help="evaluation rows; else some of FILE are held out")] = None,
    test_data: Annotated[str | None, typer.Option(help="test rows")] = None,
    text_column: Column = "auto",
    label_column: Column = "auto",
    eval_fraction: Annotated[float, typer.Option(help="share held out, above 0 and at most 0.5")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="draws the rows that are held out")] = 42,
    allow: Codes = None,
    block: Blocked = None,
    as_json: AsJson = False,
) -> None:
    """Check FILE and store it as the next version of a name; exit 1 and nothing stored when something blocks."""
    from app.cli.data import check_asking, show_report
    from app.services import data_sets

    data = _data_config(
        train=file,
        eval=eval_data,
        test=test_data,
        text_column=text_column,
        label_column=label_column,
        eval_fraction=eval_fraction,
        allow=allow or [],
        block=block or [],
    )
    data, checked = check_asking(data, may_ask=not as_json)
    if not as_json:
        for split, one in checked.items():
            show_report(one.report, split if len(checked) > 1 else None)
    with output.progress_stages(show=not as_json) as progress:
        entry, is_new = data_sets.add(_results_dir(), name, data, seed=seed, checked=checked, progress=progress)
    if as_json:
        found, manifest = data_sets.show(_results_dir(), str(entry))
        output.show_json({"added": is_new, **_as_json(found, manifest)})
        return
    print(f"stored as {entry}" if is_new else f"nothing new: this is {entry}")
    print(f"  finetune train --data {entry}")


def list_(as_json: AsJson = False) -> None:
    """List stored versions by name, oldest first."""
    from app.services import data_sets

    found = data_sets.list_versions(_results_dir())
    if as_json:
        output.show_json([_summary(entry, manifest) for entry, manifest in found])
    elif not found:
        print("no data sets yet; store one with `finetune data add FILE --name NAME`")
    else:
        rows = [
            (str(e), f"{m.rows:,}", len(m.labels), _splits(m), f"{e.created_at:%Y-%m-%d %H:%M}", e.version[:12])
            for e, m in found
        ]
        output.show_table(("version", "rows", "labels", "splits", "added (UTC)", "content"), rows)


def show(version: Version, as_json: AsJson = False) -> None:
    """Show one version: labels, splits, findings, source, parent; its content is read and checked."""
    from app.cli.data_profile import show_profile
    from app.services import data_sets
    from app.services.profiles import read_stored

    entry, manifest = data_sets.show(_results_dir(), version)
    if as_json:
        output.show_json(_as_json(entry, manifest))
        return
    origin = manifest.origin
    held_out = (
        "evaluation rows were given"
        if origin.split_seed is None
        else f"{origin.eval_fraction:.0%} held out with seed {origin.split_seed}"
    )
    facts: list[tuple[str, Any]] = [
        ("content", entry.version),
        ("parent", entry.parent),
        ("added", entry.created_at.isoformat(timespec="seconds")),
        ("rows", f"{manifest.rows:,} in {len(manifest.chunks)} chunks"),
        ("splits", f"{_splits(manifest)}; {held_out}" if "eval" in manifest.splits else _splits(manifest)),
        *((f"{split} source", f"{s.file} ({s.format}, sha256 {s.sha256[:12]})") for split, s in origin.sources.items()),
    ]
    output.show_table(("", str(entry)), facts)
    profile = read_stored(manifest)
    if profile is None:
        total = max(1, manifest.rows)
        labels = [(label, f"{count:,}", f"{count / total:.1%}") for label, count in manifest.labels.items()]
        output.show_table(("label", "rows", "share"), labels)
    else:
        show_profile(profile)
    for split, report in origin.reports.items():
        for finding in report.findings:
            print(output.printable(f"{split}: {finding.severity}: {finding.code}: {finding.message}"))


def diff(
    old: Annotated[str, typer.Argument(metavar="NAME@V", help="the version before")],
    new: Annotated[str, typer.Argument(metavar="NAME@V", help="the version after")],
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions: rows added, removed and relabelled; --json has all of them."""
    from app.services import data_sets

    found = data_sets.diff(_results_dir(), old, new)
    if as_json:
        counts = {f"num_{kind}": len(getattr(found, kind)) for kind in ("added", "removed", "relabelled")}
        output.show_json({**counts, **found.model_dump(mode="json")})
        return
    print(
        f"{len(found.added):,} added, {len(found.removed):,} removed, {len(found.relabelled):,} relabelled, "
        f"{found.num_unchanged:,} unchanged"
        + (f" ({found.num_moved:,} of them in another split)" if found.num_moved else "")
    )
    if rows := _side_by_side(found):
        output.show_table(("", found.old, found.new, "text"), rows)


def _side_by_side(found: "VersionDiff") -> list[tuple[str, str, str, str]]:
    relabelled = [("relabelled", one.old_label, one.new_label, _short(one.text)) for one in found.relabelled]
    removed = [("removed", one.label, "", _short(one.text)) for one in found.removed]
    added = [("added", "", one.label, _short(one.text)) for one in found.added]
    rows = []
    for kind in (relabelled, removed, added):
        rows += kind[:MAX_EXAMPLES]
        if len(kind) > MAX_EXAMPLES:
            rows.append((kind[0][0], "", "", f"... and {len(kind) - MAX_EXAMPLES:,} more (--json lists all)"))
    return rows


def export(
    version: Version,
    out: Annotated[Path, typer.Option(metavar="FILE", help="a new file: .csv, .tsv, .jsonl or .parquet")],
    split: Annotated[str | None, typer.Option(help="train, eval or test alone; else all, in a column split")] = None,
) -> None:
    """Write a version to a file with the columns text, label and split."""
    from app.services import data_sets

    num_rows = data_sets.export(_results_dir(), version, out, split)
    print(output.printable(f"{num_rows:,} rows in {out}"))


def remove(version: Annotated[str, typer.Argument(metavar="NAME@V", help="the version to forget")]) -> None:
    """Forget NAME@V; its number is not given again, its content stays until `finetune data gc`."""
    from app.services import data_sets

    entry = data_sets.remove(_results_dir(), version)
    print(f"removed {entry}; `finetune data gc` frees what nothing else refers to (runs keep their data)")


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
    grace_minutes: Annotated[float, typer.Option(min=0, help="keep what is younger: it may be in use soon")] = 60,
    as_json: AsJson = False,
) -> None:
    """Free the room of versions and chunks that no name and no run refers to."""
    from app.services import data_sets

    found = data_sets.collect_garbage(_results_dir(), grace_minutes=grace_minutes, dry_run=dry_run)
    if as_json:
        output.show_json({"dry_run": dry_run, **found.model_dump(mode="json")})
        return
    what = f"{len(found.versions)} versions, {found.num_chunks} chunks, {found.num_temporary} temporary files"
    print(f"{'would free' if dry_run else 'freed'} {what}: {found.bytes:,} bytes")


def _data_config(**values: Any) -> Any:
    """The data part of a configuration; ConfigError names the option that is wrong."""
    from pydantic import ValidationError

    from app.domain.errors import ConfigError
    from app.domain.train_config import DataConfig

    try:
        return DataConfig(**values)
    except ValidationError as error:
        fault = error.errors()[0]
        option = "--" + str(fault["loc"][0]).replace("_", "-")
        raise ConfigError(
            f"{option}: {fault['msg']}", hint="`finetune data add --help` says what is possible"
        ) from error


def _results_dir() -> Path:
    from app.settings import get_settings

    return get_settings().results_dir


def _splits(manifest: "VersionManifest") -> str:
    return ", ".join(f"{split} {count:,}" for split, count in manifest.splits.items())


def _summary(entry: "NamedVersion", manifest: "VersionManifest") -> dict[str, Any]:
    summary = {"name": entry.name, "number": entry.number, "version": entry.version, "parent": entry.parent}
    return summary | {
        "created_at": entry.created_at.isoformat(),
        "rows": manifest.rows,
        "labels": manifest.labels,
        "splits": manifest.splits,
    }


def _as_json(entry: "NamedVersion", manifest: "VersionManifest") -> dict[str, Any]:
    details = manifest.model_dump(mode="json", exclude={"origin", "version", "created_at", "rows", "labels", "splits"})
    return {**_summary(entry, manifest), **details, **manifest.origin.model_dump(mode="json")}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 3]}..."
