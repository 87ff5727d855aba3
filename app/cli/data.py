"""`finetune data`: look at labelled files before anything is trained on them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from app.cli import data_profile, data_versions, label_errors, output, server
from app.cli.backend import backend
from app.cli.reading_options import Delimiter, Encoding, FileFormat, Header, Quotes, reading_of

if TYPE_CHECKING:
    from app.data.validation import Checked
    from app.domain.data_report import ValidationReport
    from app.domain.train_config import DataConfig

Found = TypeVar("Found")
MAX_LABELS_SHOWN = 20

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _data() -> None:
    """Look at labelled files before anything is trained on them."""


app.command("profile")(data_profile.profile)
app.command("label-errors")(label_errors.label_errors)
data_versions.register(app)


@app.command()
def validate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help=f"{output.DATA_SOURCES}; several files: each is a class, a text a line"),
    ],
    text_column: Annotated[str, typer.Option(help="column name; its number where there is no header")] = "auto",
    label_column: Annotated[str, typer.Option(help="as --text-column")] = "auto",
    file_format: FileFormat = "auto",
    encoding: Encoding = "auto",
    delimiter: Delimiter = "auto",
    quotes: Quotes = None,
    header: Header = None,
    eval_data: Annotated[str | None, typer.Option(help="evaluation rows, held against FILE")] = None,
    test_data: Annotated[str | None, typer.Option(help="test rows, held against FILE")] = None,
    base_model: Annotated[
        str, typer.Option(metavar="ID|PATH|none", help="can this base model read the texts? 'none' does not ask")
    ] = "minilm",
    max_length: Annotated[
        int | None, typer.Option(min=8, max=8192, help="tokens of a text that will be read; else all the model can")
    ] = None,
    allow: Annotated[list[str] | None, typer.Option(metavar="CODE", help="findings that shall not block")] = None,
    block: Annotated[list[str] | None, typer.Option(metavar="CODE", help="findings that shall block")] = None,
    fix: Annotated[Path | None, typer.Option(metavar="OUT", help="cleaned copy: .csv .tsv .jsonl .parquet")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="--fix: leave out the rows with this finding")
    ] = None,
    mask: Annotated[bool, typer.Option("--mask", help="--fix: mask personal data")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Say how FILE is read and what is wrong with it; exit 0 when nothing blocks training, else 1."""
    from app.data.class_files import as_pattern
    from app.domain.train_config import DataConfig

    _check_fix(fix, drop or [], mask=mask)
    data = DataConfig(
        train=as_pattern(files),
        eval=eval_data,
        test=test_data,
        text_column=text_column,
        label_column=label_column,
        reading=reading_of(format=file_format, encoding=encoding, delimiter=delimiter, quotes=quotes, header=header),
        allow=allow or [],
        block=block or [],
    )
    base = None if base_model == "none" else base_model
    checked: dict[str, Checked] = {}
    if fix is None:
        versions = backend().data
        reports = check_asking(data, lambda given: versions.validate(given, base, max_length), may_ask=not as_json)[1]
    else:
        from app.cli.local_data import LocalData

        server.refuse("data validate --fix")
        checked = check_asking(data, lambda given: LocalData().check(given, base, max_length), may_ask=not as_json)[1]
        reports = {split: one.report for split, one in checked.items()}
    if as_json:
        train = reports.pop("train")
        output.show_json(_as_json(train) | {split: _as_json(report) for split, report in reports.items()})
        reports["train"] = train
    else:
        for split, report in reports.items():
            show_report(report, split if len(reports) > 1 else None)
    if fix is not None:
        _write_cleaned(checked, fix, drop or [], mask=mask)
    if not all(report.ok for report in reports.values()):
        raise typer.Exit(output.EXIT_FAILED)


def _check_fix(fix: Path | None, drop: list[str], *, mask: bool) -> None:
    """Raise where --drop or --mask stand alone, a code is none of a row's, or OUT cannot be written."""
    from app.data.cleaning import check_targets
    from app.data.fixing import check_wishes
    from app.domain.errors import InvalidInput

    if fix is None and (drop or mask):
        raise InvalidInput("--drop and --mask go with --fix", hint="add --fix OUT: the file itself is never changed")
    check_wishes(drop, names="--drop")
    if fix is not None:
        check_targets(fix)


def _write_cleaned(checked: "dict[str, Checked]", out: Path, drop: list[str], *, mask: bool) -> None:
    """Write the cleaned copy and say on stderr what was changed."""
    from collections import Counter

    from app.data.cleaning import write
    from app.data.fixing import cleaned

    mended = cleaned(checked, drop, mask=mask)
    listed = write(mended, out)
    counts = Counter(f"{change.action} {change.code}" for change in mended.changes)
    said = ", ".join(f"{count:,} {what}" for what, count in counts.most_common()) or "no changes"
    typer.echo(output.printable(f"{out}: {len(mended.rows):,} rows; {said}; each change is in {listed}"), err=True)


def _as_json(report: "ValidationReport") -> dict[str, Any]:
    """The report with its keys in the promised order."""
    dumped = report.model_dump(mode="json")
    return {key: dumped[key] for key in ("file", "sha256", "rows", "ok", "detected", "labels", "findings")}


def check_asking(
    data: "DataConfig", check: "Callable[[DataConfig], Found]", *, may_ask: bool = True
) -> "tuple[DataConfig, Found]":
    """Check the data; where a column could be one of several, ask on a terminal.

    Returns the configuration with the answers in it, and what `check` gives. Off a terminal, or where `may_ask` is
    False, AmbiguousColumns is passed on.
    """
    from app.domain.errors import AmbiguousColumns

    while True:
        try:
            return data, check(data)
        except AmbiguousColumns as error:
            if not (may_ask and sys.stdin.isatty() and sys.stderr.isatty()):
                raise
            answer = _ask(error.message, error.choices)
            data = data.model_copy(update={f"{error.role}_column": answer})


def _ask(question: str, choices: list[str]) -> str:
    """Let the person pick one of `choices` by number or name; the question goes to stderr."""
    typer.echo(output.printable(question), err=True)
    for number, choice in enumerate(choices, 1):
        typer.echo(f"  {number}  {output.printable(choice)}", err=True)
    while True:
        answer: str = typer.prompt("number or name", err=True).strip()
        if answer in choices:
            return answer
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1]
        typer.echo(f"'{output.printable(answer)}' is none of them", err=True)


def show_report(report: "ValidationReport", split: str | None = None) -> None:
    """Print how a file was read, its labels and its findings, for people."""
    name = report.file if report.file.startswith(("hub:", "{")) else Path(report.file).name
    typer.echo(
        f"{output.printable(name)}{f' ({split})' if split else ''}: {report.rows:,} rows, {len(report.labels)} labels"
    )
    _show_detected(report)
    if report.labels:
        total = sum(report.labels.values())
        rows = [(label, f"{count:,}", f"{count / total:.1%}") for label, count in report.labels.items()]
        output.show_table(("label", "rows", "share"), rows[:MAX_LABELS_SHOWN])
        if len(rows) > MAX_LABELS_SHOWN:
            typer.echo(f"... and {len(rows) - MAX_LABELS_SHOWN} more labels (--json lists all)")
    for finding in report.findings:
        typer.echo(f"{finding.severity}: {finding.code}: {output.printable(finding.message)}")
        if finding.rows:
            more = ", ..." if finding.count > 10 else ""
            typer.echo(f"  rows: {', '.join(map(str, finding.rows[:10]))}{more}")
        for example in finding.examples:
            typer.echo(f"  such as: {output.printable(' '.join(example.split()))}")
        if finding.cost:
            typer.echo(f"  cost: {finding.cost}")
        typer.echo(f"  fix: {output.printable(finding.fix)}")
    blocking = [finding.code for finding in report.findings if finding.severity == "error"]
    if blocking:
        typer.echo(f"not ready for training: {', '.join(blocking)}")
    else:
        warnings = f"; {len(report.findings)} to look at" if report.findings else ""
        typer.echo(f"ready for training{warnings}")


def _show_detected(report: "ValidationReport") -> None:
    found = report.detected
    separators = {"\t": "tab", " ": "space"}
    choices = {
        "format": found.format,
        "encoding": found.encoding,
        "delimiter": separators.get(found.delimiter or "", found.delimiter),
        "header": None if found.header is None else "yes" if found.header else "no",
        "text_column": found.text_column,
        "label_column": found.label_column,
    }
    rows = [
        (key.replace("_", " "), value, found.reasons.get(key, ""))
        for key, value in choices.items()
        if value is not None or key in found.reasons
    ]
    output.show_table(("read as", "", "because"), rows)
    if found.preview:
        output.show_table(("row", "label", "text"), [(one.row, one.label, one.text) for one in found.preview])
