"""`finetune data add|list|show|diff|export|remove|gc`: stored, named versions of labelled data."""

from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import output
from app.cli.backend import backend
from app.cli.reading_options import Delimiter, Encoding, FileFormat, Header, Quotes, reading_of
from app.cli.server import local_only

if TYPE_CHECKING:
    from app.domain.data_version import Garbage

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
    file_format: FileFormat = "auto",
    encoding: Encoding = "auto",
    delimiter: Delimiter = "auto",
    quotes: Quotes = None,
    header: Header = None,
    eval_fraction: Annotated[float, typer.Option(help="share held out, above 0 and at most 0.5")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="draws the rows that are held out")] = 42,
    allow: Codes = None,
    block: Blocked = None,
    as_json: AsJson = False,
) -> None:
    """Check FILE and store it as the next version of a name; exit 1 and nothing stored when something blocks."""
    from app.cli.data import check_asking, show_report

    data = _data_config(
        train=file,
        eval=eval_data,
        test=test_data,
        text_column=text_column,
        label_column=label_column,
        reading=reading_of(format=file_format, encoding=encoding, delimiter=delimiter, quotes=quotes, header=header),
        eval_fraction=eval_fraction,
        allow=allow or [],
        block=block or [],
    )
    versions = backend().data
    if not as_json:
        data, reports = check_asking(data, lambda given: versions.validate(given, None, None))
        for split, report in reports.items():
            show_report(report, split if len(reports) > 1 else None)
    with output.progress_stages(show=not as_json) as progress:
        reference, is_new = versions.add(name, data, seed=seed, progress=progress)
    if as_json:
        output.show_json({"added": is_new, **versions.show(reference)})
        return
    print(f"stored as {reference}" if is_new else f"nothing new: this is {reference}")
    print(f"  finetune train --data {reference}")


def list_(as_json: AsJson = False) -> None:
    """List stored versions by name, oldest first."""
    found = backend().data.list()
    if as_json:
        output.show_json(found)
    elif not found:
        print("no data sets yet; store one with `finetune data add FILE --name NAME`")
    else:
        rows = [
            (
                f"{one['name']}@{one['number']}",
                "damaged" if "damage" in one else f"{one['rows']:,}",
                len(one["labels"]),
                _splits(one),
                one["created_at"][:16].replace("T", " "),
                one["version"][:12],
            )
            for one in found
        ]
        output.show_table(("version", "rows", "labels", "splits", "added (UTC)", "content"), rows)
        for one in found:
            if "damage" in one:
                print(output.printable(f"{one['damage']}; add the data again, and it is written anew"))


def show(version: Version, as_json: AsJson = False) -> None:
    """Show one version: labels, splits, findings, source, parent; its content is read and checked."""
    from app.cli.data_profile import show_profile
    from app.domain.data_profile import read_kept

    found = backend().data.show(version)
    if as_json:
        output.show_json(found)
        return
    held_out = (
        "evaluation rows were given"
        if found["split_seed"] is None
        else f"{found['eval_fraction']:.0%} held out with seed {found['split_seed']}"
    )
    facts: list[tuple[str, Any]] = [
        ("content", found["version"]),
        ("parent", found["parent"]),
        ("added", datetime.fromisoformat(found["created_at"]).isoformat(timespec="seconds")),
        ("rows", f"{found['rows']:,} in {len(found['chunks'])} chunks"),
        ("splits", f"{_splits(found)}; {held_out}" if "eval" in found["splits"] else _splits(found)),
    ]
    for split, source in found["sources"].items():
        facts.append((f"{split} source", f"{source['file']} ({source['format']}, sha256 {source['sha256'][:12]})"))
    output.show_table(("", f"{found['name']}@{found['number']}"), facts)
    profile = read_kept(found["profile"])
    if profile is None:
        total = max(1, found["rows"])
        labels = [(label, f"{count:,}", f"{count / total:.1%}") for label, count in found["labels"].items()]
        output.show_table(("label", "rows", "share"), labels)
    else:
        show_profile(profile)
    for split, report in found["reports"].items():
        for finding in report["findings"]:
            print(output.printable(f"{split}: {finding['severity']}: {finding['code']}: {finding['message']}"))


def diff(
    old: Annotated[str, typer.Argument(metavar="NAME@V", help="the version before")],
    new: Annotated[str, typer.Argument(metavar="NAME@V", help="the version after")],
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions: rows added, removed and relabelled; --json has all of them."""
    found = backend().data.diff(old, new, whole=as_json)
    if as_json:
        output.show_json(found)
        return
    print(
        f"{found['num_added']:,} added, {found['num_removed']:,} removed, {found['num_relabelled']:,} relabelled, "
        f"{found['num_unchanged']:,} unchanged"
        + (f" ({found['num_moved']:,} of them in another split)" if found["num_moved"] else "")
    )
    if rows := _side_by_side(found):
        output.show_table(("", found["old"], found["new"], "text"), rows)


def _side_by_side(found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    shown = {
        "relabelled": [(one["old_label"], one["new_label"], one["text"]) for one in found["relabelled"]],
        "removed": [(one["label"], "", one["text"]) for one in found["removed"]],
        "added": [("", one["label"], one["text"]) for one in found["added"]],
    }
    rows = []
    for kind, changes in shown.items():
        rows += [(kind, before, after, _short(text)) for before, after, text in changes[:MAX_EXAMPLES]]
        if found[f"num_{kind}"] > MAX_EXAMPLES:
            rows.append((kind, "", "", f"... and {found[f'num_{kind}'] - MAX_EXAMPLES:,} more (--json lists all)"))
    return rows


def export(
    version: Version,
    out: Annotated[Path, typer.Option(metavar="FILE", help="a new file: .csv, .tsv, .jsonl or .parquet")],
    split: Annotated[str | None, typer.Option(help="train, eval or test alone; else all, in a column split")] = None,
) -> None:
    """Write a version to a file with the columns text, label and split."""
    num_rows = backend().data.export(version, out, split)
    print(output.printable(f"{num_rows:,} rows in {out}"))


def remove(version: Annotated[str, typer.Argument(metavar="NAME@V", help="the version to forget")]) -> None:
    """Forget NAME@V; its number is not given again, its content stays until `finetune data gc`."""
    entry = backend().data.remove(version)
    print(f"removed {entry}; `finetune data gc` frees what nothing else refers to (runs keep their data)")


@local_only("data gc")
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
    grace_minutes: Annotated[float, typer.Option(min=0, help="keep what is younger: it may be in use soon")] = 60,
    as_json: AsJson = False,
) -> None:
    """Free the room of versions and chunks that no name and no run refers to."""
    from app.cli.recorded import recorded
    from app.services import data_sets
    from app.settings import get_settings

    def freeing(found: "Garbage") -> AbstractContextManager[None]:
        files = found.num_chunks + found.num_temporary
        return recorded("dataset.free", "dataset:*", versions=found.versions[:100], files=files, bytes=found.bytes)

    found = data_sets.collect_garbage(
        get_settings().results_dir, grace_minutes=grace_minutes, dry_run=dry_run, recorded=freeing
    )
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


def _splits(found: dict[str, Any]) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in found["splits"].items())


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 3]}..."
