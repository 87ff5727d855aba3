"""`finetune train`: from a labelled file to a proven adapter, watched from beginning to end."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import output

if TYPE_CHECKING:
    from rich.console import Console

    from app.cli.progress import PlainView
    from app.domain.data_report import DataReport, ValidationReport
    from app.domain.train_config import TrainConfig
    from app.services.installation import Installation
    from app.services.training import Outcome

Config = Annotated[Path | None, typer.Argument(metavar="[CONFIG]", help="YAML file; see config/", show_default=False)]
Data = Annotated[str | None, typer.Option(metavar="FILE|NAME@VERSION|hub:ID", help="Training data.")]
EvalData = Annotated[str | None, typer.Option(metavar="FILE|...", help="Evaluation data; else split off.")]
TestData = Annotated[str | None, typer.Option(metavar="FILE|...", help="Test data, scored once at the end.")]
TextColumn = Annotated[str | None, typer.Option(metavar="C", help="Column with the texts.")]
LabelColumn = Annotated[str | None, typer.Option(metavar="C", help="Column with the labels.")]
BaseModel = Annotated[str | None, typer.Option(metavar="ID|PATH", help="Base model.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting; repeatable.")]
Allow = Annotated[list[str] | None, typer.Option(metavar="CODE", help="A finding that shall not block; repeatable.")]


def train(
    config: Config = None,
    data: Data = None,
    eval_data: EvalData = None,
    test_data: TestData = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    base_model: BaseModel = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the new run.")] = None,
    set_: Set = None,
    allow: Allow = None,
    plan: Annotated[Path | None, typer.Option(metavar="FILE", help="Repeat the plan.json of a run.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a stopped or failed run.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line on stdout at the end.")] = False,
) -> None:
    """Fine-tune a LoRA adapter: validate, train, evaluate, prove, record."""
    from rich.console import Console

    from app.services.configuration import load_config
    from app.services.installation import open_installation
    from app.settings import get_settings

    console = Console(stderr=as_json)
    if not console.is_terminal:
        console = Console(stderr=as_json, width=120)
    options: dict[str, Any] = {
        "data.train": data,
        "data.eval": eval_data,
        "data.test": test_data,
        "data.text_column": text_column,
        "data.label_column": label_column,
        "model.name": base_model,
        "data.allow": allow or None,
    }
    given = [value for value in (config, *(set_ or []), *options.values()) if value is not None]
    _refuse_together(resume, plan, name, given)
    train_config = load_config(config, set_ or [], options) if resume is None and plan is None else None
    installation = open_installation(get_settings())
    job = _Job(installation, console, ask=not yes and sys.stdin.isatty() and console.is_terminal)
    if resume is not None:
        outcome = job.resume(resume)
    elif plan is not None:
        outcome = job.repeat(plan, name)
    else:
        assert train_config is not None
        outcome = job.start(train_config, name)
    show_outcome(outcome, console)
    if as_json:
        shown = {"run": outcome.run.name, "dir": str(outcome.run.path)}
        output.show_json_line({**shown, "state": outcome.state, "accuracy": outcome.accuracy})
    if outcome.state != "SUCCESS":
        raise typer.Exit(output.EXIT_FAILED)


def _refuse_together(resume: str | None, plan: Path | None, name: str | None, given: list[Any]) -> None:
    """A run that goes on, and a plan that is repeated, have their settings already."""
    if resume is not None and plan is not None:
        raise typer.BadParameter("--resume and --plan exclude each other")
    if resume is not None and (given or name is not None):
        raise typer.BadParameter("--resume goes on with the run's own settings; give nothing else")
    if plan is not None and given:
        raise typer.BadParameter("--plan repeats the plan's own settings; only --name may be given with it")


class _Job:
    """One training as the terminal sees it."""

    def __init__(self, installation: "Installation", console: "Console", ask: bool) -> None:
        self.installation, self.console, self.ask = installation, console, ask

    def start(self, config: "TrainConfig", name: str | None) -> "Outcome":
        from app.services import training
        from app.services.configuration import ineffective_settings

        for warning in ineffective_settings(config):
            self._print(f"warning: {warning}", style="yellow")
        if name is not None:
            training.check_name(self.installation, name)
        training.check_base_model(config)
        config, report = self._check_data(config)
        self._show_data(report)
        return self._watch(lambda interface: training.start(self.installation, config, report, interface, name=name))

    def _check_data(self, config: "TrainConfig") -> "tuple[TrainConfig, DataReport]":
        """Validate the data; where a column cannot be told and a person is there, ask which it is."""
        from app.domain.errors import AmbiguousColumns
        from app.services import training

        while True:
            try:
                return config, training.check_data(self.installation, config)
            except AmbiguousColumns as error:
                if not self.ask:
                    raise
                self._print(error.message)
                column = _ask_column(error.role, error.choices)
                data = config.data.model_copy(update={f"{error.role}_column": column})
                config = config.model_copy(update={"data": data})

    def repeat(self, path: Path, name: str | None) -> "Outcome":
        from app.services import training

        plan = training.read_plan(path)
        if name is not None:
            training.check_name(self.installation, name)
        training.check_base_model(plan.config)
        report = training.check_data(self.installation, plan.config)
        self._show_data(report)
        return self._watch(
            lambda interface: training.start(self.installation, plan.config, report, interface, name=name, plan=plan)
        )

    def resume(self, name: str) -> "Outcome":
        from app.services import training

        return self._watch(lambda interface: training.resume(self.installation, name, interface))

    def _watch(self, run: Any) -> "Outcome":
        from app.cli.progress import make_view
        from app.services.supervisor import StopRequest
        from app.services.training import Interface

        stop = StopRequest()
        view = make_view(self.console)
        interface = Interface(
            began=lambda directory: self._print(f"run {directory.name} in {directory.path}", style="bold"),
            event=view.event,
            stop=stop,
        )
        with _stop_signals(stop, view), view:
            outcome: Outcome = run(interface)
        return outcome

    def _show_data(self, report: "DataReport") -> None:
        for name, file in report.reports.items():
            self._print(_describe_file(name, file))
            for choice in file.detected.reasons.values():
                self._print(f"  {choice}", style="dim")
            for finding in file.findings:
                if finding.severity == "warning":
                    self._print(f"  warning: {finding.message} ({finding.fix})", style="yellow")
        identity = report.identity
        counts = f"{identity.num_train} to train on, {identity.num_eval} to evaluate on"
        counts += f", {identity.num_test} to test on" if identity.num_test else ""
        self._print(f"{len(identity.labels)} labels ({_some(identity.labels)}); rows: {counts}")

    def _print(self, text: str, style: str | None = None) -> None:
        self.console.print(
            output.printable(text), style=style, markup=False, emoji=False, highlight=False, soft_wrap=True
        )


def _ask_column(role: str, choices: list[str]) -> str:
    """Let a person choose by number or name."""
    for number, name in enumerate(choices, start=1):
        print(f"  {number}  {output.printable(name)}")
    while True:
        answer = str(typer.prompt(f"which column is the {role}")).strip()
        if answer in choices:
            return answer
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1]


class _stop_signals:  # noqa: N801
    """While a run is watched, Ctrl-C (or SIGTERM) saves and stops it; a second one kills it."""

    def __init__(self, stop: Any, view: "PlainView") -> None:
        self.stop, self.view = stop, view

    def __enter__(self) -> None:
        self.before = {number: signal.signal(number, self._asked) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _asked(self, *_signal_and_frame: object) -> None:
        self.stop.ask()
        if self.stop.times == 1:
            self.view.stop_asked("saving and stopping; Ctrl-C again stops at once and loses what is not saved yet")
        else:
            self.view.stop_asked("stopping at once")


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


def show_outcome(outcome: "Outcome", console: "Console") -> None:
    """The result in a sentence and a table, then three lines to copy; or what happened and how to go on."""
    name = outcome.run.name
    if outcome.state == "REVOKED":
        text = f"{name} was stopped; go on with:\n  finetune train --resume {name}"
        console.print(text, markup=False, highlight=False)
        return
    if outcome.state != "SUCCESS":
        reason, advice = _split_hint(outcome.error_detail or outcome.error_code or "no reason was given")
        how = f"go on with `finetune train --resume {name}`" if outcome.retryable else ""
        hints = [hint for hint in (advice, how, f"the log is {outcome.run.log}") if hint]
        output.show_failure(f"{name} failed: {reason}", "; ".join(hints))
        return
    _show_result(outcome, console)


def _split_hint(detail: str) -> tuple[str, str]:
    """Reason and hint of what the engine reports as `reason (hint: hint)`."""
    reason, mark, hint = detail.partition(" (hint: ")
    return (reason, hint.removesuffix(")")) if mark and detail.endswith(")") else (detail, "")


def _show_result(outcome: "Outcome", console: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    from app.services.results import result_rows, result_sentence

    name = outcome.run.name
    console.print(
        output.printable(result_sentence(outcome.run)), style="bold", markup=False, emoji=False, highlight=False
    )
    table = Table(show_header=False)
    for label, value in result_rows(outcome.run):
        table.add_row(Text(label), Text(output.printable(value)))
    console.print(table)
    report = outcome.run.evaluation / "report.html"
    for line in (
        f'finetune predict --run {name} "a sentence to classify"',
        f"finetune serve --run {name}",
        f"open {report}" if sys.platform == "darwin" else f"xdg-open {report}",
    ):
        console.print(f"  {line}", markup=False, emoji=False, highlight=False, soft_wrap=True)
