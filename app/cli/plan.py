"""`finetune plan`: what a training would be and take, by a few measured steps; nothing is trained."""

import sys
from typing import Annotated, Any

import typer

from app.cli import output
from app.cli.backend import backend
from app.cli.train import (
    Allow,
    BaseModel,
    Config,
    Data,
    EvalData,
    LabelColumn,
    Set,
    TestData,
    TextColumn,
    console_for,
    options_of,
)


def plan(
    config: Config = None,
    data: Data = None,
    eval_data: EvalData = None,
    test_data: TestData = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    base_model: BaseModel = None,
    set_: Set = None,
    allow: Allow = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Estimate time, memory and steps of a training by measuring a few; trains nothing."""
    from app.cli.training import Terminal
    from app.services.configuration import load_config

    options = options_of(data, eval_data, test_data, text_column, label_column, base_model, allow)
    train_config = load_config(config, set_ or [], options)
    console = console_for(as_json=as_json)
    terminal = Terminal(console, ask=not yes and sys.stdin.isatty() and console.is_terminal)
    found = backend().training(terminal).plan(train_config)
    if as_json:
        output.show_json(found)
    else:
        show_plan(found)


def show_plan(found: dict[str, Any]) -> None:
    """Print what was chosen and why, and what it would take."""
    from app.domain.quantities import format_bytes, format_duration

    decisions = [(one["key"], output.short(one["value"]), one["reason"]) for one in found["decisions"]]
    output.show_table(("chosen", "value", "why"), decisions)
    estimates = [
        ("steps", f"{found['total_steps']:,}"),
        ("a step", f"{found['seconds_a_step']:.3g} s"),
        ("all of it", f"about {format_duration(found['estimated_seconds'])}"),
        ("memory", f"about {format_bytes(found['estimated_memory_bytes'])}"),
        ("device", found["device_name"] or found["device"]),
    ]
    output.show_table(("it would take", ""), estimates)
