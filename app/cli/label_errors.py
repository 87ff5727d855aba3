"""`finetune data label-errors`: which labels of a file are probably wrong, and what shall become of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import data_progress, output
from app.cli.server import local_only

if TYPE_CHECKING:
    from app.data.label_review import Labelled
    from app.domain.label_doubts import LabelDoubts

MAX_TEXT = 70


@local_only("data label-errors")
def label_errors(
    file: Annotated[str, typer.Argument(metavar="FILE|NAME@V", help=output.DATA_SOURCES + ", or a stored version")],
    text_column: Annotated[str, typer.Option(help="column name; its number where there is no header")] = "auto",
    label_column: Annotated[str, typer.Option(help="as --text-column")] = "auto",
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="ask a finished run, or an experiment's newest")
    ] = None,
    base_model: Annotated[
        str | None,
        typer.Option(metavar="ID|PATH|none", help="frozen encoder beside TF-IDF; minilm where it can read the texts"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many to show")] = 20,
    review: Annotated[
        bool, typer.Option("--review", help="decide on each: keep, relabel or drop; can be left")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="--review: start over, forget what was decided")] = False,
    name: Annotated[str | None, typer.Option(help="--review: the data set the new version is stored in")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="OUT", help="--review: write a corrected copy instead: .csv, .tsv or .jsonl")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="--review: findings that shall not block the new version")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print all as one JSON document")] = False,
) -> None:
    """Rank the rows whose label a model that has not seen them doubts (confident learning)."""
    from app.data.catalogue import check_data_name
    from app.data.exporting import check_target
    from app.data.label_review import Labelled
    from app.domain.errors import InvalidInput
    from app.services import label_errors as service
    from app.settings import get_settings

    if review and as_json:
        raise InvalidInput("--review and --json do not go together", hint="review first, then list what is left")
    if (name or out or again or allow) and not review:
        raise InvalidInput("--name, --out, --again and --allow go with --review", hint="add --review")
    if name and out:
        raise InvalidInput("give --name or --out, not both", hint="a version can be written to a file: data export")
    if name:
        check_data_name(name)
    if out:
        check_target(out, "--out")
    results_dir = get_settings().results_dir
    with data_progress.shown():
        labelled = Labelled.read(file, results_dir, text_column, label_column)
        doubts = service.find(labelled, results_dir, run=run, base_model=base_model)
    if as_json:
        output.show_json(service.masked(doubts).model_dump(mode="json"))
    elif review:
        _review(labelled, doubts, _Target(results_dir, name, out, allow or []), again=again)
    else:
        _show(service.masked(doubts), limit, file)


def _show(doubts: "LabelDoubts", limit: int, file: str) -> None:
    typer.echo(_summary(doubts))
    shown = [
        (
            one.row,
            one.given,
            one.suggested,
            f"{one.confidence:.0%}",
            ("strong" if one.strong else "weak") + (", learnt" if one.learnt else ""),
            " ".join(one.text.split())[:MAX_TEXT],
        )
        for one in doubts.suspects[:limit]
    ]
    if not shown:
        return
    output.show_table(("row", "given", "suggested", "confidence", "doubt", "text"), shown)
    if len(doubts.suspects) > limit:
        typer.echo(f"... and {len(doubts.suspects) - limit:,} more (--limit, or --json for all)")
    typer.echo(f"a doubt is no proof: decide on each with finetune data label-errors {output.printable(file)} --review")


def _summary(doubts: "LabelDoubts") -> str:
    strong = sum(one.strong for one in doubts.suspects)
    share = len(doubts.suspects) / max(1, doubts.rows)
    said = (
        f"{len(doubts.suspects):,} of {doubts.rows:,} rows ({share:.1%}) have a doubtful label, {strong:,} of them a "
        f"very doubtful one; worst first, by {doubts.evidence}"
    )
    if doubts.judged < doubts.rows:
        said += f"\nnot judged: {doubts.rows - doubts.judged:,} rows whose label is too rare, or unknown to the run"
    return output.printable(said)


@dataclass(frozen=True)
class _Target:
    """Where the outcome of a review goes, and the findings that shall not keep it from there."""

    results_dir: Path
    name: str | None
    out: Path | None
    allow: list[str]


def _review(labelled: "Labelled", doubts: "LabelDoubts", target: _Target, *, again: bool) -> None:
    from app.cli.label_walk import walk
    from app.data.label_review import read_review, write_review
    from app.domain.label_doubts import Review
    from app.services import label_errors as service

    typer.echo(_summary(doubts))
    results_dir, sha256 = target.results_dir, labelled.sha256
    kept = Review(source=labelled.source) if again else read_review(results_dir, labelled.source, sha256)
    done = walk(doubts, kept, lambda review: write_review(results_dir, sha256, review))
    counts = dict.fromkeys(("keep", "relabel", "drop"), 0)
    for decision in done.review.decisions.values():
        counts[decision.action] += 1
    typer.echo(f"decided: {counts['keep']} kept, {counts['relabel']} relabelled, {counts['drop']} dropped")
    if not done.write:
        typer.echo("nothing is written yet; the same command goes on from here")
        return
    if not counts["relabel"] and not counts["drop"]:
        typer.echo("nothing to change, so nothing is written")
        return
    if target.out is not None:
        listed = service.write_file(labelled, done.review, target.out)
        typer.echo(output.printable(f"wrote {target.out}; each change is in {listed}"))
        return
    with data_progress.shown():
        entry, is_new = service.write_version(labelled, done.review, results_dir, target.name, target.allow)
    typer.echo(f"stored as {entry}" if is_new else f"nothing new: this is {entry}")
    typer.echo(f"  finetune train --data {entry}")
