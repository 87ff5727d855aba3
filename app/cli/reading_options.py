"""Options that say how a file is to be read, for the commands that take files."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.domain.data_reading import Reading

FileFormat = Annotated[
    str, typer.Option("--format", help="auto, csv, tsv, text (a label and a text a line), fasttext, jsonl, json")
]
Encoding = Annotated[str, typer.Option(help="auto, utf-8, cp1252, cp950 (Big5), gb18030, cp932 (Shift JIS), ...")]
Delimiter = Annotated[str, typer.Option(help="auto, comma, tab, semicolon, bar, space, or one mark")]
Quotes = Annotated[bool | None, typer.Option("--quotes/--no-quotes", help="do quotes enclose cells? else found out")]
Header = Annotated[
    bool | None, typer.Option("--header/--no-header", help="does the first row name the columns? else found out")
]


def reading_of(**given: Any) -> "Reading":
    """What the options ask for; ConfigError names the option that is wrong and what it takes."""
    from pydantic import ValidationError

    from app.domain.data_reading import Reading
    from app.domain.errors import ConfigError

    try:
        return Reading(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        fault = error.errors()[0]
        raise ConfigError(f"--{fault['loc'][0]}: {fault['msg'].removeprefix('Value error, ')}") from None
