"""`finetune data profile`: what a labelled file looks like."""

from typing import Annotated

import typer

from app.cli import output

MAX_CLASSES_SHOWN = 20
SHOWN = (5, 50, 95, 99)


def profile(
    file: Annotated[str, typer.Argument(metavar="FILE", help=output.DATA_SOURCES)],
    text_column: Annotated[str, typer.Option(help="column name; its number where there is no header")] = "auto",
    label_column: Annotated[str, typer.Option(help="as --text-column")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Say what FILE looks like: labels, lengths in characters, scripts and exact duplicates."""
    from app.data.analysis import profile_rows
    from app.data.prepare import check
    from app.domain.train_config import DataConfig

    checked = check(DataConfig(train=file, text_column=text_column, label_column=label_column))["train"]
    found = profile_rows(checked.texts, checked.labels)
    if as_json:
        output.show_json(found.model_dump(mode="json"))
        return
    typer.echo(f"{found.rows:,} rows, {len(found.classes)} labels, {found.duplicate_share:.1%} exact duplicates")
    rows = [
        (
            name,
            f"{count:,}",
            f"{count / found.rows:.1%}",
            *(f"{lengths.percentiles[p]:,.0f}" for p in SHOWN),
            lengths.max,
        )
        for name, count, lengths in [
            ("all", found.rows, found.characters),
            *((c.label, c.rows, c.characters) for c in found.classes[:MAX_CLASSES_SHOWN]),
        ]
    ]
    output.show_table(("label", "rows", "share", *(f"characters p{p}" for p in SHOWN), "max"), rows)
    if len(found.classes) > MAX_CLASSES_SHOWN:
        typer.echo(f"... and {len(found.classes) - MAX_CLASSES_SHOWN} more labels (--json lists all)")
    output.show_table(("script", "rows"), [(name, f"{count:,}") for name, count in found.scripts.items()])
