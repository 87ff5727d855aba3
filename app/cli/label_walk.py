"""Walk doubted labels one by one: a person decides on each; what was decided is kept at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from app.cli import output

if TYPE_CHECKING:
    from app.domain.label_doubts import Decision, LabelDoubts, Review, SuspectedLabel

HELP = """\
  k          keep the given label
  r          relabel: take the suggested label
  r LABEL    relabel: take this label (or the start of one)
  d          drop the row
  b          back to the one before
  w          write now, with what is decided so far
  q          leave; the same command goes on from here"""
MAX_LABELS_LISTED = 30


@dataclass(frozen=True)
class Walked:
    """The decisions, and whether they are to be written out now."""

    review: "Review"
    write: bool


def walk(doubts: "LabelDoubts", review: "Review", keep: "Callable[[Review], None]") -> Walked:
    """Ask about every suspect that is not decided; `keep` is called after each decision.

    At the end of the input the review is left, as with q.
    """
    from app.data.label_review import key

    suspects = {key(one.text, one.given): one for one in doubts.suspects}
    waiting = [known for known in suspects if known not in review.decisions]
    if len(waiting) < len(suspects):
        typer.echo(f"{len(suspects) - len(waiting):,} are decided already")
    if waiting:
        typer.echo("keep, relabel, drop, back, write, quit: k r d b w q; ? explains")
    place = 0
    while place < len(waiting):
        one = suspects[waiting[place]]
        _show(one, place + 1, len(waiting))
        answer = _ask()
        if answer is None or answer == "q":
            return Walked(review, write=False)
        if answer == "w":
            return Walked(review, write=True)
        if answer == "b":
            place = max(0, place - 1)
            continue
        decision = _decision(answer, one, doubts.labels)
        if decision is None:
            continue
        review = review.model_copy(update={"decisions": {**review.decisions, waiting[place]: decision}})
        keep(review)
        place += 1
    return Walked(review, write=True)


def _show(one: "SuspectedLabel", number: int, total: int) -> None:
    typer.echo(f"\n{number} of {total}: row {one.row}, {'very doubtful' if one.strong else 'doubtful'}")
    typer.echo(output.printable(f"  {' '.join(one.text.split())}"))
    typer.echo(
        output.printable(
            f"  given {one.given!r} ({one.given_probability:.0%}), suggested {one.suggested!r} ({one.confidence:.0%})"
        )
    )


def _ask() -> str | None:
    """The answer; None at the end of the input."""
    try:
        answer: str = typer.prompt("  k r d b w q ?", prompt_suffix=" > ", default="", show_default=False)
    except (EOFError, typer.Abort):
        typer.echo("")
        return None
    return answer.strip()


def _decision(answer: str, one: "SuspectedLabel", labels: list[str]) -> "Decision | None":
    """What an answer decides; None, with what is wrong on the terminal, where it decides nothing."""
    from app.domain.label_doubts import Decision

    word, _, rest = answer.partition(" ")
    if word == "k" and not rest:
        return Decision(action="keep")
    if word == "d" and not rest:
        return Decision(action="drop")
    if word == "r":
        label = _chosen(rest.strip(), labels) if rest.strip() else one.suggested
        if label == one.given:
            return Decision(action="keep")
        return None if label is None else Decision(action="relabel", label=label)
    typer.echo(HELP)
    return None


def _chosen(name: str, labels: list[str]) -> str | None:
    if name in labels:
        return name
    found = [label for label in labels if label.casefold().startswith(name.casefold())]
    if len(found) == 1:
        return found[0]
    named = ", ".join((found or labels)[:MAX_LABELS_LISTED])
    typer.echo(output.printable(f"  '{name}' is {'the start of several' if found else 'no label'}: {named}"))
    return None
