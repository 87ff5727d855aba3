"""`finetune train`: from a labelled file to a proven adapter, watched from beginning to end."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import output
from app.cli.backend import backend

if TYPE_CHECKING:
    from rich.console import Console

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
    from app.cli.training import Terminal, show_ended
    from app.services.configuration import load_config

    console = console_for(as_json=as_json)
    options = options_of(data, eval_data, test_data, text_column, label_column, base_model, allow)
    given = [value for value in (config, *(set_ or []), *options.values()) if value is not None]
    _refuse_together(resume, plan, name, given)
    train_config = load_config(config, set_ or [], options) if resume is None and plan is None else None
    terminal = Terminal(console, ask=not yes and sys.stdin.isatty() and console.is_terminal)
    training = backend().training(terminal)
    if resume is not None:
        ended = training.resume(resume)
    elif plan is not None:
        ended = training.repeat(plan, name)
    else:
        assert train_config is not None
        ended = training.start(train_config, name)
    show_ended(ended, console)
    if as_json:
        shown = {"run": ended.name, "dir": ended.dir, "state": ended.state, "accuracy": ended.accuracy}
        output.show_json_line(shown)
    if ended.state != "SUCCESS":
        raise typer.Exit(output.EXIT_FAILED)


def console_for(*, as_json: bool) -> "Console":
    """Where people read: stdout, or stderr where stdout is for a program."""
    from rich.console import Console

    console = Console(stderr=as_json)
    return console if console.is_terminal else Console(stderr=as_json, width=120)


def options_of(
    data: str | None,
    eval_data: str | None,
    test_data: str | None,
    text_column: str | None,
    label_column: str | None,
    base_model: str | None,
    allow: list[str] | None,
) -> dict[str, Any]:
    """The options that are keys of a configuration, by dotted key."""
    return {
        "data.train": data,
        "data.eval": eval_data,
        "data.test": test_data,
        "data.text_column": text_column,
        "data.label_column": label_column,
        "model.name": base_model,
        "data.allow": allow or None,
    }


def _refuse_together(resume: str | None, plan: Path | None, name: str | None, given: list[Any]) -> None:
    """A run that goes on, and a plan that is repeated, have their settings already."""
    if resume is not None and plan is not None:
        raise typer.BadParameter("--resume and --plan exclude each other")
    if resume is not None and (given or name is not None):
        raise typer.BadParameter("--resume goes on with the run's own settings; give nothing else")
    if plan is not None and given:
        raise typer.BadParameter("--plan repeats the plan's own settings; only --name may be given with it")
