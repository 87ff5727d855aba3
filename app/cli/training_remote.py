"""Trainings on a server: files of this machine are stored there first, a worker trains, and this terminal watches."""

import re
import threading
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from app.cli import output
from app.cli.progress import make_view
from app.cli.remote_data import Reference, RemoteData, ended_well
from app.cli.training import Ended, Terminal, stop_signals
from app.domain.data_report import DataIdentity, DataReport
from app.domain.errors import AmbiguousColumns, ConfigError, Conflict, InvalidInput, PlatformError, ServiceUnavailable
from app.domain.task import Stage, TaskState
from app.domain.train_config import DataConfig, TrainConfig
from app.runs.directory import RunDirectory
from app.runs.files import write_json
from app.services.results import result_rows, result_sentence

if TYPE_CHECKING:
    from app.client import Client
    from app.domain.events import Event
    from app.schemas.tasks import TaskView

SPLITS = ("train", "eval", "test")
MAX_NAME = 80


class RemoteTraining:
    """Trainings as one terminal sees them."""

    def __init__(self, client: "Client", terminal: Terminal) -> None:
        self._client, self._terminal = client, terminal
        self._data = RemoteData(client)

    def start(self, config: TrainConfig, name: str | None) -> Ended:
        """Store and show the data, then submit and watch."""
        self._terminal.warn_of_settings(config)
        config, report = self._with_stored_data(config)
        self._terminal.show_data(report)
        accepted = self._client.train.submit(config, name=name)
        assert accepted.experiment is not None
        self._terminal.say(f"run {accepted.experiment} on {self._client.server}", style="bold")
        return self._watch(accepted.experiment, accepted.task_id)

    def repeat(self, plan: Path, name: str | None) -> Ended:
        """A plan was made for one machine, and a server's workers make their own."""
        raise InvalidInput(
            "--plan repeats a run exactly, on this machine alone",
            hint="leave --server out, or train with the run's config.yaml and data NAME@VERSION",
            code="command.local",
        )

    def resume(self, name: str) -> Ended:
        """Let a run go on that was stopped or failed; one that runs is watched."""
        run = self._client.experiments.show(name)
        if run.task_id is None:
            raise Conflict(f"run {name!r} has no task", hint="train anew")
        if run.state == TaskState.SUCCESS:
            raise Conflict(
                f"run {name!r} is finished; there is nothing to resume",
                hint=f"see it with: finetune experiments show {name}",
                code="run.finished",
            )
        known = run.task.attempt if run.task else 0
        if run.state in (TaskState.FAILURE, TaskState.REVOKED):
            self._client.tasks.retry(run.task_id)
        else:
            known -= 1
        self._terminal.say(f"run {name} on {self._client.server}", style="bold")
        return self._watch(name, run.task_id, known_attempts=known)

    def plan(self, config: TrainConfig) -> dict[str, Any]:
        """Store and show the data, then let a worker measure."""
        self._terminal.warn_of_settings(config)
        config, report = self._with_stored_data(config)
        self._terminal.show_data(report)
        accepted = self._client.train.plan(config)
        return ended_well(self._client.tasks.wait(accepted.task_id, standing=_Queue(self._terminal).hear))

    # --- data ------------------------------------------------------------------------------------------------------

    def _with_stored_data(self, config: TrainConfig) -> tuple[TrainConfig, DataReport]:
        """The configuration with NAME@VERSION for its data, and what is known of that data."""
        data = config.data
        if data.train is None:
            raise ConfigError("no training data is named", hint="give --data FILE, or data.train in the configuration")
        given = {split: source for split in SPLITS if (source := getattr(data, split)) is not None}
        files = [split for split, source in given.items() if Path(source).exists()]
        if not files:
            references = {split: self._data.resolve(source) for split, source in given.items()}
            return _with_data(config, references), self._report(references["train"], {})
        if len(files) < len(given):
            raise InvalidInput(
                "data of this machine and stored data do not go together",
                hint=f"name only files, or store them first: finetune data add {given[files[0]]} --name NAME",
            )
        self._refuse_early(config)
        stored = self._store(config)
        return _with_data(config, {"train": stored}), self._report(stored, given)

    def _refuse_early(self, config: TrainConfig) -> None:
        """Before a file is sent: whether all but its data would be accepted."""
        values = config.model_dump(mode="json", exclude_unset=True)
        values["data"] = {}
        faults = [one for one in self._client.config.validate(values).problems if not one.pointer.startswith("/data")]
        if faults:
            error = ConfigError("; ".join(f"{one.pointer[1:].replace('/', '.')}: {one.detail}" for one in faults))
            error.places = [(one.pointer, one.detail) for one in faults]
            raise error

    def _store(self, config: TrainConfig) -> Reference:
        data = config.data
        assert data.train is not None
        while True:
            try:
                with output.progress_stages(show=True) as hear:
                    made = self._data.store(_name_of(data.train), data, seed=config.training.seed, progress=hear)
            except AmbiguousColumns as error:
                data = data.model_copy(update={f"{error.role}_column": self._terminal.ask_column(error)})
            except PlatformError as error:
                if error.code == "dataset.name_taken":
                    error.hint = f"store it under another name: finetune data add {data.train} --name NAME"
                raise
            else:
                self._terminal.say(f"stored as {made.reference}" if made.is_new else f"this is {made.reference}")
                return Reference(made.name, made.version)

    def _report(self, stored: Reference, files: dict[str, str]) -> DataReport:
        version = self._client.datasets.version(*stored)
        reports = self._client.datasets.findings(*stored).reports
        identity = DataIdentity(
            name=str(stored),
            version=version.content,
            labels=list(version.labels),
            num_train=version.splits.get("train", 0),
            num_eval=version.splits.get("eval", 0),
            num_test=version.splits.get("test", 0),
            train_label_counts=[],
        )
        shown = {
            split: report.model_copy(update={"file": files.get(split, report.file)})
            for split, report in reports.items()
        }
        return DataReport(identity=identity, reports=shown)

    # --- watching --------------------------------------------------------------------------------------------------

    def _watch(self, name: str, task_id: str, known_attempts: int = 0) -> Ended:
        """Show what the task reports, the same as for a training on this machine, until it has ended."""
        view = make_view(self._terminal.console)
        stopping = _Stopping(self._client, task_id)

        def hear(event: "Event") -> None:
            if event.attempt > known_attempts:
                view.event(event)

        try:
            with stop_signals(stopping, view), view:
                task = self._client.tasks.wait(task_id, hear, standing=_Queue(self._terminal).hear)
        except _Left:
            task = self._client.tasks.show(task_id)
        except ServiceUnavailable as error:
            error.hint = f"the training goes on there; watch it again with: finetune train --resume {name}"
            raise
        return self._ended(name, task)

    def _ended(self, name: str, task: "TaskView") -> Ended:
        known = Ended(
            name=name,
            dir=None,
            state=task.status,
            log=f"its log: finetune experiments logs {name}",
            error_code=task.error.code if task.error else None,
            error_detail=task.error.detail if task.error else None,
            retryable=task.error is not None and task.error.retryable,
        )
        if task.status != TaskState.SUCCESS:
            return known
        found = self._client.experiments.show(name)
        with TemporaryDirectory() as scratch:
            run = RunDirectory(Path(scratch) / name)
            write_json(run.metrics, found.metrics)
            self._client.artifacts.download(name, run.receipt.name, run.receipt)
            sentence, rows = result_sentence(run), tuple(result_rows(run))
        next_steps = (
            f"finetune experiments show {name}",
            f"finetune experiments export {name} --out {name}.zip",
            f"finetune experiments list --where 'experiment = {found.experiment}' --sort=-accuracy",
        )
        return replace(known, accuracy=found.accuracy, sentence=sentence, rows=rows, next_steps=next_steps)


class _Left(Exception):
    """The person does not want to watch any longer."""


class _Stopping:
    """The first wish asks the server to stop the task, which saves first; the second one ends the watching."""

    def __init__(self, client: "Client", task_id: str) -> None:
        self._client, self._task_id, self._times = client, task_id, 0

    def ask(self) -> str:
        """Called in a signal handler, in the middle of a request of this thread: another one asks the server."""
        self._times += 1
        if self._times > 1:
            raise _Left
        threading.Thread(target=self._cancel, daemon=True).start()
        return "asked the server to save and stop; Ctrl-C again stops watching, and the server goes on"

    def _cancel(self) -> None:
        try:
            self._client.tasks.cancel(self._task_id)
        except PlatformError as error:
            output.show_failure(f"the task could not be stopped: {error.message}", error.hint)


class _Queue:
    """Says once that a task waits for a worker, and once for each further attempt."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal, self._said = terminal, ""

    def hear(self, task: "TaskView") -> None:
        """Where the task stands."""
        waits = task.stage == Stage.QUEUED or task.status in (TaskState.PENDING, TaskState.RETRY)
        text = f"waiting for a worker ({task.status})" if waits else ""
        if text and text != self._said:
            self._terminal.say(text, style="dim")
        self._said = text


def _with_data(config: TrainConfig, references: dict[str, Reference]) -> TrainConfig:
    """The configuration for stored data; how a file is read and split has no effect on that, and is left out."""
    kept = {key: getattr(config.data, key) for key in ("allow", "block") if key in config.data.model_fields_set}
    named = {split: str(reference) for split, reference in references.items()}
    data = DataConfig.model_validate({**named, **kept})
    return config.model_copy(update={"data": data})


def _name_of(file: str) -> str:
    """What a data set made of a file is called: the file's name without its suffixes."""
    stem = Path(file).name.split(".")[0]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-")[:MAX_NAME].strip("._-")
    return name or "data"
