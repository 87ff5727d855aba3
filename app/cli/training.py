"""A training as the terminal sees it, wherever it runs: its data, its progress, a wish to stop, how it ended."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from app.cli import output

if TYPE_CHECKING:
    from rich.console import Console

    from app.cli.progress import PlainView
    from app.domain.data_report import DataReport, ValidationReport
    from app.domain.errors import AmbiguousColumns
    from app.domain.train_config import TrainConfig


UNENDED = ("PENDING", "STARTED", "RETRY")


@dataclass(frozen=True)
class Ended:
    """How a training ended, or was left; `dir` is None where it is not on this machine.

    `sentence` and `rows` are its result, `log` says where the log is, `next_steps` are commands to copy.
    """

    name: str
    dir: str | None
    state: str
    log: str
    error_code: str | None = None
    error_detail: str | None = None
    retryable: bool = False
    accuracy: float | None = None
    sentence: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    next_steps: tuple[str, ...] = ()


class Training(Protocol):
    """Trainings on one installation."""

    def start(self, config: "TrainConfig", name: str | None) -> Ended:
        """Train, and return when it has ended."""

    def repeat(self, plan: Path, name: str | None) -> Ended:
        """Train once more by the plan.json of a run."""

    def resume(self, name: str) -> Ended:
        """Go on with a run that was stopped or failed."""

    def plan(self, config: "TrainConfig") -> dict[str, Any]:
        """What a training would be and take; see `app.train.plan_only`."""


class Stopping(Protocol):
    """A wish to stop: `ask` is called once for each Ctrl-C, and says what comes of it."""

    def ask(self) -> str:
        """Ask (once more); a sentence for the person. Called in a signal handler."""


class Terminal:
    """Where a training is shown; `ask` says that a person is there to answer questions."""

    def __init__(self, console: "Console", *, ask: bool) -> None:
        self.console, self.ask = console, ask

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line."""
        self.console.print(
            output.printable(text), style=style, markup=False, emoji=False, highlight=False, soft_wrap=True
        )

    def ask_column(self, error: "AmbiguousColumns") -> str:
        """Let a person choose by number or name which column it is; the error itself where nobody is there."""
        if not self.ask:
            raise error
        self.say(error.message)
        for number, name in enumerate(error.choices, start=1):
            print(f"  {number}  {output.printable(name)}")
        while True:
            answer = str(typer.prompt(f"which column is the {error.role}")).strip()
            if answer in error.choices:
                return answer
            if answer.isdecimal() and 1 <= int(answer) <= len(error.choices):
                return error.choices[int(answer) - 1]

    def warn_of_settings(self, config: "TrainConfig") -> None:
        """Name the settings that can have no effect."""
        from app.services.configuration import ineffective_settings

        for warning in ineffective_settings(config):
            self.say(f"warning: {warning}", style="yellow")

    def show_data(self, report: "DataReport") -> None:
        """Say what is trained on, and what there is to look at in it."""
        for name, file in report.reports.items():
            self.say(_describe_file(name, file))
            for choice in file.detected.reasons.values():
                self.say(f"  {choice}", style="dim")
            for finding in file.findings:
                if finding.severity == "warning":
                    self.say(f"  warning: {finding.message} ({finding.fix})", style="yellow")
        identity = report.identity
        counts = f"{identity.num_train} to train on, {identity.num_eval} to evaluate on"
        counts += f", {identity.num_test} to test on" if identity.num_test else ""
        self.say(f"{len(identity.labels)} labels ({_some(identity.labels)}); rows: {counts}")


class stop_signals:  # noqa: N801
    """While a run is watched, Ctrl-C (or SIGTERM) asks it to stop."""

    def __init__(self, stopping: Stopping, view: "PlainView") -> None:
        self._stopping, self._view = stopping, view

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._asked) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _asked(self, *_signal_and_frame: object) -> None:
        self._view.stop_asked(self._stopping.ask())


def _describe_file(name: str, file: "ValidationReport") -> str:
    detected = file.detected
    parts = [f"{file.rows} rows", detected.format]
    if detected.encoding:
        parts.append(detected.encoding)
    if detected.header is not None:
        parts.append("with header" if detected.header else "without header")
    columns = f"text from {detected.text_column!r}, labels from {detected.label_column!r}"
    return f"{name} data: {file.file} ({', '.join(parts)}; {columns})"


def _some(names: list[str], at_most: int = 8) -> str:
    shown = ", ".join(names[:at_most])
    return shown if len(names) <= at_most else f"{shown}, ... {len(names) - at_most} more"


def show_ended(ended: Ended, console: "Console") -> None:
    """The result in a sentence and a table, then lines to copy; or what happened and how to go on."""
    name = ended.name
    if ended.state == "REVOKED":
        text = f"{name} was stopped; go on with:\n  finetune train --resume {name}"
        console.print(text, markup=False, highlight=False)
        return
    if ended.state in UNENDED:
        text = (
            f"{name} is {ended.state} still, and goes on without you; watch it again:\n  finetune train --resume {name}"
        )
        console.print(text, markup=False, highlight=False)
        return
    if ended.state != "SUCCESS":
        reason, advice = _split_hint(ended.error_detail or ended.error_code or "no reason was given")
        how = f"go on with `finetune train --resume {name}`" if ended.retryable else ""
        hints = [hint for hint in (advice, how, ended.log) if hint]
        output.show_failure(f"{name} failed: {reason}", "; ".join(hints))
        return
    _show_result(ended, console)


def _split_hint(detail: str) -> tuple[str, str]:
    """Reason and hint of what the engine reports as `reason (hint: hint)`."""
    reason, mark, hint = detail.partition(" (hint: ")
    return (reason, hint.removesuffix(")")) if mark and detail.endswith(")") else (detail, "")


def _show_result(ended: Ended, console: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(output.printable(ended.sentence), style="bold", markup=False, emoji=False, highlight=False)
    table = Table(show_header=False)
    for label, value in ended.rows:
        table.add_row(Text(label), Text(output.printable(value)))
    console.print(table)
    for line in ended.next_steps:
        console.print(f"  {line}", markup=False, emoji=False, highlight=False, soft_wrap=True)
