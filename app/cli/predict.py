"""`finetune predict`: classify texts with a finished run."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import output
from app.cli.backend import backend


def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="texts to classify")] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="exact run, or experiment (its newest run); default: the newest run")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="classify every row of a file")] = None,
    out: Annotated[Path | None, typer.Option(help="where the answers to --file go: .csv, .jsonl or .parquet")] = None,
    text_column: Annotated[str, typer.Option(help="the text's column in --file")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="print a JSON list")] = False,
) -> None:
    """Classify texts, or every row of a file, with a finished run."""
    from app.cli.prediction_files import check_out, read_texts, write_predictions
    from app.domain.errors import InvalidInput

    if texts and file is not None:
        raise InvalidInput("give texts or --file, not both", hint="classify the file in a command of its own")
    if not texts and file is None:
        raise InvalidInput("there is nothing to classify", hint='give texts, or --file: finetune predict "some words"')
    if out is not None and file is None:
        raise InvalidInput("--out goes with --file", hint="redirect the output to keep it")
    if out is not None:
        check_out(out)
    rows = read_texts(file, text_column) if file else list(texts or [])
    for number, text in enumerate(rows, 1):
        if not _is_utf8(text):
            raise InvalidInput(f"text {number} is not valid UTF-8", hint="give it in UTF-8, or leave it out")
    blank = [number for number, text in enumerate(rows, 1) if not text.strip()]
    if blank:
        raise InvalidInput(f"text {blank[0]} is empty", hint="leave it out")
    answers = backend().predictions.classify(run, rows, file, text_column, all_scores=json and out is None)
    if out is not None:
        write_predictions(out, rows, answers)
        typer.echo(f"{len(answers)} predictions written to {output.printable(str(out))}", err=True)
    elif json:
        keys = ("label", "label_name", "probability", "scores")
        output.show_json([{key: getattr(answer, key) for key in keys} for answer in answers])
    else:
        cells = [[a.label_name, f"{a.probability:.4f}", text[:100]] for a, text in zip(answers, rows, strict=True)]
        output.show_table(["label", "probability", "text"], cells)


def _is_utf8(text: str) -> bool:
    """False for the lone surrogates that bytes of another encoding become on the command line."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
