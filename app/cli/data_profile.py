"""`finetune data profile`: what a labelled file or a stored version looks like."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import output
from app.cli.backend import backend

if TYPE_CHECKING:
    from app.domain.data_profile import ClassProfile, DataProfile, LengthSummary

MAX_CLASSES_SHOWN = 20
MAX_WORDS_SHOWN = 5
MAX_LABEL = 28


def profile(
    file: Annotated[str, typer.Argument(metavar="FILE|NAME@V", help=output.DATA_SOURCES + ", or a stored version")],
    text_column: Annotated[str, typer.Option(help="column name; its number where there is no header")] = "auto",
    label_column: Annotated[str, typer.Option(help="as --text-column")] = "auto",
    html: Annotated[Path | None, typer.Option(metavar="OUT", help="write one self-contained page: .html")] = None,
    base_model: Annotated[
        str | None,
        typer.Option(metavar="ID|PATH|none", help="counts tokens and compares texts; minilm unless named"),
    ] = None,
    with_map: Annotated[
        bool | None,
        typer.Option("--map/--no-map", help="lay texts out in two dimensions (default: for a page)"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Say what FILE looks like: labels, lengths, words that mark each label, languages, repetitions."""
    from app.domain.errors import InvalidInput
    from app.domain.train_config import DataConfig

    if html is not None and html.suffix.lower() not in (".html", ".htm"):
        raise InvalidInput(f"--html {html}: a page's name ends in .html", hint="such as --html profile.html")
    data = DataConfig(train=file, text_column=text_column, label_column=label_column)
    with output.progress_stages(show=not as_json) as progress:
        found = backend().data.profile(
            data,
            base_model=base_model,
            with_map=html is not None if with_map is None else with_map,
            progress=progress,
        )
    if html is not None:
        _write_page(html, found, file)
    if as_json:
        output.show_json(found.model_dump(mode="json"))
    else:
        show_profile(found)


def _write_page(path: Path, found: "DataProfile", source: str) -> None:
    from app.data.profiling.page import render_page
    from app.runs.files import write_bytes_atomic

    name = source if source.startswith("hub:") else Path(source).name
    write_bytes_atomic(path, render_page(found, name).encode())
    typer.echo(output.printable(f"wrote {path}"), err=True)


def show_profile(found: "DataProfile") -> None:
    """Print a profile for people, within 100 columns."""
    balance = found.balance
    typer.echo(
        f"{found.rows:,} rows, {len(found.classes)} labels, {found.duplicate_share:.1%} exact and "
        f"{found.near_duplicate_share:.1%} near duplicates"
    )
    if len(found.classes) > 1:
        typer.echo(
            f"balance: always guessing the most frequent label is right for {balance.majority_share:.1%}; entropy "
            f"{balance.entropy:.2f} of 1; most to fewest rows {balance.ratio:,.1f} to 1"
        )
    shown = found.classes[:MAX_CLASSES_SHOWN]
    rows = [
        ("all", f"{found.rows:,}", "", _lengths(found.characters), _lengths(found.tokens), ""),
        *((_short(c.label), f"{c.rows:,}", f"{c.share:.1%}", *_details(c)) for c in shown),
    ]
    columns = ("label", "rows", "share", "characters", "tokens", "words that mark it")
    output.show_table(columns, rows)
    if len(found.classes) > len(shown):
        typer.echo(f"... and {len(found.classes) - len(shown)} more labels (--html and --json show more)")
    tokens = f"; tokens of {found.tokens_by}, counted on {found.token_rows:,} rows" if found.tokens_by else ""
    typer.echo(f"lengths: half of the texts are up to the first number, 95 % up to the second{tokens}")
    words = found.vocabulary
    typer.echo(
        f"vocabulary: {words.size:,} different {words.unit} of {words.total:,}, {words.hapaxes:,} of them once; "
        f"{words.new_share:.1%} of the second half is new"
    )
    scripts = ", ".join(f"{name} {count:,}" for name, count in found.scripts.items())
    typer.echo(f"scripts: {scripts}")
    if found.languages:
        languages = ", ".join(f"{name} {count / found.language_rows:.0%}" for name, count in found.languages.items())
        typer.echo(f"languages: {languages} (of {found.language_rows:,} rows looked at)")
    for one in found.readings:
        typer.echo(
            f"{found.tokens_by} reads {one.script}: {one.unknown_share:.1%} of the tokens unknown, "
            f"{one.tokens_per_letter:.2f} tokens a letter"
        )


def _details(one: "ClassProfile") -> tuple[str, str, str]:
    words = ", ".join(found.word for found in one.words[:MAX_WORDS_SHOWN])
    return _lengths(one.characters), _lengths(one.tokens), words


def _lengths(found: "LengthSummary | None") -> str:
    return "" if found is None else f"{found.percentiles[50]:,.0f} / {found.percentiles[95]:,.0f}"


def _short(label: str) -> str:
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 3]}..."
