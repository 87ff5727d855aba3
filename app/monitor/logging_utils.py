"""Log lines: one format for every process, and a run's events in words a person can follow."""

import logging
import sys
import time
from typing import TextIO

from app.domain.events import (
    CheckpointRemoved,
    CheckpointSaved,
    EvalLogged,
    Event,
    ParametersCounted,
    Planned,
    RunFinished,
    StageChanged,
    StepLogged,
    Warned,
)
from app.domain.quantities import format_bytes, format_duration


def configure_logging(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send this process's log lines to `stream` (stderr without), with UTC times; replaces what was set up before.

    `level` is ours; of other packages only warnings are shown.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("app").setLevel(level)


def describe_event(event: Event) -> str | None:
    """One line of log for an event; None for those nobody wants to read one by one."""
    match event:
        case StageChanged():
            return f"stage {event.stage}"
        case Planned():
            return (
                f"plan: {len(event.plan.get('decisions', []))} settings chosen, {event.plan.get('total_steps')} steps"
            )
        case ParametersCounted():
            return f"parameters: {event.trainable:,} of {event.total:,} are trained"
        case StepLogged():
            return (
                f"step {event.step}/{event.total_steps} epoch {event.epoch:.2f} loss {event.loss:.4f} "
                f"learning rate {event.learning_rate:.3g} tokens/s {event.tokens_per_second:,.0f} "
                f"ETA {format_duration(event.eta_seconds)}"
            )
        case EvalLogged():
            scores = ", ".join(f"{name} {value:.4g}" for name, value in event.metrics.items())
            return f"evaluation after step {event.step}: {scores}"
        case CheckpointSaved():
            return f"checkpoint {event.path} saved, {format_bytes(event.size_bytes)}"
        case CheckpointRemoved():
            return f"checkpoint of step {event.step} removed"
        case Warned():
            return f"warning {event.code}: {event.message}" + (f" ({event.hint})" if event.hint else "")
        case RunFinished():
            reason = f": {event.error_code}: {event.error_detail}" if event.error_code else ""
            return f"finished {event.state}{reason}"
        case _:
            return None
