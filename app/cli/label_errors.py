"""`finetune data label-errors`: which labels of a file are probably wrong."""

import time
from typing import Annotated

import typer

from app.cli import output


def label_errors(
    file: Annotated[str, typer.Argument(metavar="FILE", help=output.DATA_SOURCES)],
    text_column: Annotated[str, typer.Option(help="column name; its number where there is no header")] = "auto",
    label_column: Annotated[str, typer.Option(help="as --text-column")] = "auto",
    limit: Annotated[int, typer.Option(min=1, help="how many to show")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print all as one JSON list")] = False,
) -> None:
    """Rank the rows of FILE whose label a model that has not seen them doubts (confident learning)."""
    from app.data.label_review import suspected_labels
    from app.data.readers import read

    rows = read(file, text_column=text_column, label_column=label_column)
    if None in (rows.detected.text_column, rows.detected.label_column):
        from app.domain.errors import DataUnreadable

        raise DataUnreadable(f"{file}: there is no text or no label column", hint=f"finetune data validate {file}")
    started = time.monotonic()

    def show(done: int, total: int) -> None:
        left = (time.monotonic() - started) / done * (total - done)
        typer.echo(f"model {done} of {total} done, about {left:.0f} s to go", err=True)

    found = suspected_labels(rows, None if as_json else show)
    if as_json:
        output.show_json([one.model_dump() for one in found])
        return
    share = len(found) / max(1, len(rows.texts))
    typer.echo(f"{len(found):,} of {len(rows.texts):,} rows ({share:.1%}) have a doubtful label; worst first")
    shown = [
        (one.row, one.given, one.suggested, f"{one.confidence:.0%}", " ".join(one.text.split())[:80])
        for one in found[:limit]
    ]
    if shown:
        output.show_table(("row", "given", "suggested", "confidence", "text"), shown)
        typer.echo("look at each: a doubt is no proof, and hard rows are doubted too")
