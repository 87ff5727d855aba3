"""Classifying texts: by a model in this process, or, files of them, by a worker of a server."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

from app.cli import output
from app.domain.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from app.client import Client

NUM_RESULTS = 3
"""What a server adds to each row, last: the label's name, its id, its probability."""


class Answer(Protocol):
    """The most probable label of a text."""

    @property
    def label(self) -> int:
        """Its id."""

    @property
    def label_name(self) -> str:
        """Its name."""

    @property
    def probability(self) -> float:
        """How probable it is."""


class LocalPredictions:
    """A run of this installation, loaded into this process."""

    def classify(
        self, run: str | None, texts: Sequence[str], file: Path | None, text_column: str, *, all_scores: bool
    ) -> Sequence[Answer]:
        """Answers in the order of the texts; `file` is where they were read from."""
        from app.runs.directory import choose_run
        from app.settings import get_settings, share_cores

        share_cores()
        from app.serving.predictor import load_run

        predictor = load_run(choose_run(get_settings().results_dir, run))
        with output.progress_bar(len(texts), "classifying", show=file is not None) as advance:
            return predictor.predict(texts, progress=advance)


@dataclass(frozen=True)
class Told:
    """An answer as a server's file has it."""

    label: int
    label_name: str
    probability: float


class RemotePredictions:
    """A run of a server: the file is sent, a worker labels it, and its answers are fetched."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def classify(
        self, run: str | None, texts: Sequence[str], file: Path | None, text_column: str, *, all_scores: bool
    ) -> Sequence[Answer]:
        """Answers in the order of the texts."""
        from app.cli.remote_data import ended_well
        from app.client.endpoint import body_of
        from app.schemas.predictions import PredictForm

        if file is None or all_scores:
            raise InvalidInput(
                "a server classifies files, and tells the most probable label of each row",
                hint="give --file FILE --out OUT; or fetch the run: finetune experiments export",
                code="command.local",
            )
        form = body_of(PredictForm, run=self._run(run), text_column=text_column)
        with output.progress_stages(show=True) as hear:
            accepted = self._client.predictions.submit(
                form, file, progress=lambda done, total: hear("sending", done, total or done)
            )
        result = ended_well(self._client.tasks.wait(accepted.task_id))
        with TemporaryDirectory() as scratch:
            target = Path(scratch) / "rows"
            found = _read(self._client.predictions.download(accepted.task_id, target, sha256=result["sha256"]))
        if len(found) != len(texts):
            raise Conflict(
                f"{file} has {len(texts)} texts and the server answered {len(found)}", hint="was it changed meanwhile?"
            )
        return found

    def _run(self, name: str | None) -> str:
        """The run called so, else the newest successful one of the experiment called so, else of all."""
        where = "state = SUCCESS"
        if name is not None:
            try:
                return self._client.experiments.show(name).name
            except NotFound:
                where += f" and experiment = '{name}'" if "'" not in name else " and experiment = ''"
        newest = next(self._client.experiments.all(where=where, at_most=1), None)
        if newest is None:
            what = "there is no finished run" if name is None else f"there is no run {name!r}"
            raise NotFound(what, hint="`finetune experiments list` shows all runs")
        return newest.name


def _read(path: Path) -> list[Told]:
    """The answers in a file of rows with their labels, whichever of three formats it has."""
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if is_parquet:
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        columns = [table.column(number).to_pylist() for number in range(-NUM_RESULTS, 0)]
        return [_told(values) for values in zip(*columns, strict=True)]
    with path.open(encoding="utf-8", newline="") as text:
        first = text.read(1)
        text.seek(0)
        if first == "{":
            return [_told(list(json.loads(line).values())) for line in text]
        rows = csv.reader(text)
        next(rows)
        return [_told(row) for row in rows]


def _told(values: Sequence[Any]) -> Told:
    name, label, probability = values[-NUM_RESULTS:]
    return Told(label=int(label), label_name=str(name), probability=float(probability))
