"""RunDirectory: the layout of `results/<run>/`, which is the contract between all processes."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.train_config import RUN_NAME_PATTERN
from app.runs.files import storage_errors

RESERVED_NAMES = frozenset(
    {"audit", "broker", "cache", "datasets", "latest", "logs", "platform.json", "predictions", "secrets", "uploads"}
    | {"compare"}
)
"""What lies beside the runs, and words that stand where a name does in a command or an address."""
RESERVED_SUFFIXES = (".db", ".db-wal", ".db-shm", ".lock", ".log")
"""Names of files that lie beside the runs end so."""


class RunDirectory:
    """Paths of one run; creating the object touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.name = self.path.name
        self.config = self.path / "config.yaml"
        self.plan = self.path / "plan.json"
        self.environment = self.path / "environment.json"
        self.data_report = self.path / "data_report.json"
        self.attempt = self.path / "attempt.json"
        self.events = self.path / "events.jsonl"
        self.log = self.path / "logs.txt"
        self.metrics = self.path / "metrics.json"
        self.evaluation = self.path / "evaluation"
        self.checkpoints = self.path / "artifacts" / "checkpoints"
        self.final_model = self.path / "artifacts" / "final_model"
        self.receipt = self.path / "receipt.json"

    @property
    def results_dir(self) -> Path:
        """The directory all runs of this installation are in."""
        return self.path.parent

    @property
    def is_complete(self) -> bool:
        """True when the receipt, the last file of a run, is there."""
        return self.receipt.is_file()


def check_run_name(name: str) -> None:
    """Refuse what is no run name: it becomes a directory, and part of commands to copy."""
    reserved = name in RESERVED_NAMES or name.endswith(RESERVED_SUFFIXES)
    if reserved or not re.fullmatch(RUN_NAME_PATTERN, name):
        raise InvalidInput(
            f"run name {name!r} cannot be used",
            hint="1 to 100 letters, digits, '.', '_', '-'; first and last a letter or digit; "
            f"not one of {', '.join(sorted(RESERVED_NAMES))}; not ending in {', '.join(RESERVED_SUFFIXES)}",
        )


def is_run(path: Path) -> bool:
    """Whether `path` holds a run."""
    return (path / "config.yaml").is_file()


def run_names(results_dir: Path) -> list[str]:
    """Names of all runs below `results_dir`, sorted."""
    if not results_dir.is_dir():
        return []
    return sorted(p.name for p in results_dir.iterdir() if is_run(p))


def open_run(results_dir: Path, name: str) -> RunDirectory:
    """The run called `name`; NotFound lists the nearest names."""
    check_run_name(name)
    if not is_run(results_dir / name):
        near = difflib.get_close_matches(name, run_names(results_dir), n=3)
        raise NotFound(
            f"there is no run {name!r} in {results_dir}",
            hint=f"did you mean {', '.join(near)}?" if near else "`finetune experiments list` shows all runs",
        )
    return RunDirectory(results_dir / name)


def how_to_resume(run: RunDirectory) -> str:
    """The end of a hint about a name that is taken; empty where there is nothing to go on with."""
    return f", or continue it with --resume {run.name}" if is_run(run.path) and not run.is_complete else ""


def create_run(results_dir: Path, name: str) -> RunDirectory:
    """Make the directory of a new run; of two processes asking for one name, one gets a Conflict."""
    check_run_name(name)
    path = results_dir / name
    with storage_errors(path):
        results_dir.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir()
        except FileExistsError:
            raise Conflict(
                f"a run named {name!r} exists already in {results_dir}",
                hint=f"choose another --name{how_to_resume(RunDirectory(path))}",
                code="run.exists",
            ) from None
    return RunDirectory(path)


def create_numbered_run(results_dir: Path, experiment_name: str, taken: Iterable[str] = ()) -> RunDirectory:
    """Make the next free `<experiment_name>-<NNN>`; names in `taken` count as used though no directory has them.

    Raises InvalidInput for a name that leaves no room for the number.
    """
    if not re.fullmatch(RUN_NAME_PATTERN, f"{experiment_name}-001"):
        raise InvalidInput(
            f"no run can be named after experiment {experiment_name!r}: {experiment_name}-001 is no run name",
            hint="experiment_name: at most 94 letters, digits, '.', '_', '-', the first a letter or digit",
        )
    pattern = re.compile(re.escape(experiment_name) + r"-(\d{3,})")
    existing = [p.name for p in results_dir.iterdir()] if results_dir.is_dir() else []
    numbers = [int(match[1]) for name in (*existing, *taken) if (match := pattern.fullmatch(name))]
    number = max(numbers, default=0) + 1
    while True:
        try:
            return create_run(results_dir, f"{experiment_name}-{number:03d}")
        except Conflict:
            number += 1


def latest_complete(results_dir: Path, experiment_name: str | None = None) -> RunDirectory:
    """The newest successful run, of one experiment where its name is given; NotFound when there is none."""
    runs = [RunDirectory(results_dir / name) for name in run_names(results_dir)]
    complete = [run for run in runs if run.is_complete and experiment_name in (None, experiment_of(run))]
    if not complete:
        of = f" of experiment {experiment_name!r}" if experiment_name else ""
        raise NotFound(f"there is no successful run{of} in {results_dir}", hint="train one: `finetune train`")
    return max(complete, key=lambda run: run.receipt.stat().st_mtime_ns)


def experiment_of(run: RunDirectory) -> str:
    """The experiment a run belongs to, by its configuration."""
    try:
        config = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return ""
    return str(config.get("experiment_name", "")) if isinstance(config, dict) else ""


def choose_run(results_dir: Path, name: str | None) -> RunDirectory:
    """The run called `name`, else the newest successful run of the experiment called so, else of all."""
    if name is None:
        return latest_complete(results_dir)
    if is_run(results_dir / name):
        return open_run(results_dir, name)
    try:
        return latest_complete(results_dir, name)
    except NotFound:
        return open_run(results_dir, name)
