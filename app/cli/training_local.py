"""Trainings on this machine: the engine is a child of this process, supervised here."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.progress import make_view
from app.cli.training import Ended, Terminal, stop_signals
from app.domain.errors import AmbiguousColumns
from app.services import training
from app.services.installation import Installation, open_installation
from app.services.planning import make_plan
from app.services.results import result_rows, result_sentence
from app.services.supervisor import StopRequest
from app.services.training import Interface, Outcome
from app.settings import get_settings

if TYPE_CHECKING:
    from app.domain.data_report import DataReport
    from app.domain.train_config import TrainConfig


class LocalTraining:
    """Trainings as one terminal sees them."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    @cached_property
    def _installation(self) -> Installation:
        return open_installation(get_settings())

    def start(self, config: "TrainConfig", name: str | None) -> Ended:
        """Check and show the data, then train."""
        self._terminal.warn_of_settings(config)
        if name is not None:
            training.check_name(self._installation, name)
        training.check_base_model(config)
        config, report = self._check_data(config)
        self._terminal.show_data(report)
        return self._watch(lambda interface: training.start(self._installation, config, report, interface, name=name))

    def _check_data(self, config: "TrainConfig") -> "tuple[TrainConfig, DataReport]":
        """Validate the data; where a column cannot be told and a person is there, ask which it is."""
        while True:
            try:
                return config, training.check_data(self._installation, config)
            except AmbiguousColumns as error:
                column = self._terminal.ask_column(error)
                data = config.data.model_copy(update={f"{error.role}_column": column})
                config = config.model_copy(update={"data": data})

    def repeat(self, plan: Path, name: str | None) -> Ended:
        """Train by a plan on the data it was made for."""
        found = training.read_plan(plan)
        if name is not None:
            training.check_name(self._installation, name)
        training.check_base_model(found.config)
        report = training.check_data(self._installation, found.config)
        self._terminal.show_data(report)
        return self._watch(
            lambda interface: training.start(self._installation, found.config, report, interface, name=name, plan=found)
        )

    def resume(self, name: str) -> Ended:
        """Go on from the last good checkpoint."""
        return self._watch(lambda interface: training.resume(self._installation, name, interface))

    def plan(self, config: "TrainConfig") -> dict[str, Any]:
        """Check and show the data, then measure a few steps in a child."""
        self._terminal.warn_of_settings(config)
        training.check_base_model(config)
        config, report = self._check_data(config)
        self._terminal.show_data(report)
        return make_plan(self._installation.results_dir, config)

    def _watch(self, run: Callable[[Interface], Outcome]) -> Ended:
        stopping = _Stopping()
        view = make_view(self._terminal.console)
        interface = Interface(
            began=lambda directory: self._terminal.say(f"run {directory.name} in {directory.path}", style="bold"),
            event=view.event,
            stop=stopping.request,
        )
        with stop_signals(stopping, view), view:
            outcome = run(interface)
        return ended(outcome)


class _Stopping:
    """The first wish lets the engine save and stop, the second one ends it."""

    def __init__(self) -> None:
        self.request = StopRequest()

    def ask(self) -> str:
        """Pass the wish on to the supervisor."""
        self.request.ask()
        if self.request.times == 1:
            return "saving and stopping; Ctrl-C again stops at once and loses what is not saved yet"
        return "stopping at once"


def ended(outcome: Outcome) -> Ended:
    """What is told of a run that has ended here."""
    run = outcome.run
    known = Ended(
        name=run.name,
        dir=str(run.path),
        state=outcome.state,
        log=f"the log is {run.log}",
        error_code=outcome.error_code,
        error_detail=outcome.error_detail,
        retryable=outcome.retryable,
        accuracy=outcome.accuracy,
    )
    if outcome.state != "SUCCESS":
        return known
    report = run.evaluation / "report.html"
    next_steps = (
        f'finetune predict --run {run.name} "a sentence to classify"',
        f"finetune serve --run {run.name}",
        f"open {report}" if sys.platform == "darwin" else f"xdg-open {report}",
    )
    return replace(known, sentence=result_sentence(run), rows=tuple(result_rows(run)), next_steps=next_steps)
