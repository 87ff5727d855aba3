"""What a person sees while a run trains: tables once, then a live view on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterable
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from app.cli.output import printable, short
from app.domain.events import (
    EvalLogged,
    Event,
    ParametersCounted,
    Planned,
    RunFinished,
    StageChanged,
    StepLogged,
    SystemSampled,
    Warned,
)
from app.domain.quantities import format_bytes, format_duration
from app.domain.task import Stage

PLAIN_SECONDS_BETWEEN_LINES = 5.0
STAGES = [stage for stage in Stage if stage is not Stage.QUEUED]


class PlainView:
    """Lines for a log or a pipe; tables as text. Use as a context manager around the run."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.stage: Stage = Stage.QUEUED
        self.step: StepLogged | None = None
        self.eval: EvalLogged | None = None
        self.system: SystemSampled | None = None
        self.stopping = ""
        self._last_line = 0.0

    def __enter__(self) -> "PlainView":
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def event(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Planned):
            self._show_decisions(event.plan.get("decisions", []))
        elif isinstance(event, ParametersCounted):
            self._show_parameters(event)
        elif isinstance(event, Warned):
            hint = f" ({event.hint})" if event.hint else ""
            self.console.print(Text(printable(f"warning: {event.message}{hint}"), style="yellow"))
        elif isinstance(event, StageChanged):
            self.stage = event.stage
        elif isinstance(event, StepLogged):
            self.step = event
        elif isinstance(event, EvalLogged):
            self.eval = event
        elif isinstance(event, SystemSampled):
            self.system = event
        self.update(event)

    def update(self, event: Event) -> None:
        """Show that something moved."""
        if isinstance(event, StageChanged):
            self._line(f"stage: {event.stage}")
        elif isinstance(event, EvalLogged):
            scores = ", ".join(f"{name} {_score(name, value)}" for name, value in event.metrics.items())
            self._line(f"evaluation at step {event.step} (epoch {event.epoch:.2f}): {scores}")
        elif isinstance(event, StepLogged) and (
            event.step >= event.total_steps or time.monotonic() - self._last_line > PLAIN_SECONDS_BETWEEN_LINES
        ):
            self._line(", ".join(f"{name} {value}" for name, value in self.readings()))

    def stop_asked(self, message: str) -> None:
        """Say what a Ctrl-C has set going."""
        self.stopping = message
        self._line(message)

    def readings(self) -> Iterable[tuple[str, str]]:
        """The newest readings, names and values."""
        if step := self.step:
            yield "step", f"{step.step}/{step.total_steps}"
            yield "epoch", f"{step.epoch:.2f}"
            yield "loss", f"{step.loss:.4f}"
            if self.eval and "accuracy" in self.eval.metrics:
                yield "eval accuracy", f"{100 * self.eval.metrics['accuracy']:.1f} %"
            yield "tokens/s", f"{step.tokens_per_second:,.0f}"
            yield "ETA", format_duration(step.eta_seconds)
        if system := self.system:
            yield "CPU", f"{system.cpu_percent:.0f} %"
            yield "memory", format_bytes(system.memory_bytes)
            if system.gpu_percent is not None:
                yield "GPU", f"{system.gpu_percent:.0f} %"
            if system.gpu_memory_bytes is not None:
                yield "GPU memory", format_bytes(system.gpu_memory_bytes)

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        self.console.print(printable(text), markup=False, emoji=False, highlight=False, soft_wrap=True)

    def _show_decisions(self, decisions: list[dict[str, Any]]) -> None:
        if not decisions:
            return
        table = Table(title="chosen for this run", title_justify="left", header_style="bold")
        for name in ("setting", "value", "why"):
            table.add_column(name, overflow="fold")
        for decision in decisions:
            cells = (decision["key"], short(decision["value"]), decision["reason"])
            table.add_row(*(Text(printable(cell)) for cell in cells))
        self.console.print(table)

    def _show_parameters(self, event: ParametersCounted) -> None:
        share = 100 * event.trainable / event.total if event.total else 0.0
        title = f"parameters: {event.trainable:,} of {event.total:,} are trained ({share:.2f} %)"
        table = Table(title=title, title_justify="left", header_style="bold")
        columns = list(event.groups[0]) if event.groups else []
        for name in columns:
            numeric = any(_is_number(group.get(name)) for group in event.groups)
            table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
        for group in event.groups:
            table.add_row(*(Text(printable(short(group.get(name)))) for name in columns))
        self.console.print(table if columns else title)


class LiveView(PlainView):
    """The same on a terminal: a stepper, a bar and readings that stay in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[eta]}"),
            expand=True,
        )
        self._task = self._bar.add_task("training", total=None, eta="")
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "LiveView":
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def update(self, event: Event) -> None:
        """Move the bar; everything else is drawn from the newest events."""
        if isinstance(event, StepLogged):
            eta = f"ETA {format_duration(event.eta_seconds)}"
            self._bar.update(self._task, completed=event.step, total=event.total_steps, eta=eta)
        elif isinstance(event, RunFinished):
            self._bar.update(self._task, eta="")

    def stop_asked(self, message: str) -> None:
        """Shown below the bar from the next refresh on."""
        self.stopping = message

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = [self._stepper()]
        if self.step is not None:
            parts.append(self._bar)
        readings = [pair for pair in self.readings() if pair[0] != "ETA"]
        if readings:
            table = Table.grid(padding=(0, 3))
            table.add_row(*(Text(name, style="dim") for name, _ in readings))
            table.add_row(*(Text(value, style="bold") for _, value in readings))
            parts.append(table)
        if self.stopping:
            parts.append(Text(self.stopping, style="yellow"))
        return Group(*parts)

    def _stepper(self) -> Text:
        line = Text()
        reached = STAGES.index(self.stage) if self.stage in STAGES else -1
        for index, stage in enumerate(STAGES):
            line.append(" > " if index else "", style="dim")
            style = "green" if index < reached else "bold cyan" if index == reached else "dim"
            line.append(str(stage), style=style)
        return line


def make_view(console: Console) -> PlainView:
    """The view that suits where the output goes."""
    return LiveView(console) if console.is_terminal else PlainView(console)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _score(name: str, value: float) -> str:
    """Shares in percent, as in every other place; a loss as it is."""
    return f"{100 * value:.1f} %" if name == "accuracy" or name.endswith("_f1") else f"{value:.4g}"
