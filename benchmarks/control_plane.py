"""The platform under load, on a real server over loopback, and MLflow with the same experiments beside it.

What people wait for: submitting, 200 clients that poll a task, lists filtered and sorted among ever more experiments,
what running trainings report until it can be read, the end of a long log; and what the API's process takes. MLflow, on
SQLite too, answers the same searches with as many runs: its server against ours, and its store against our repository.

    .venv/bin/python benchmarks/control_plane.py [--sizes 1000 10000 100000] [--points 10000000]
        [--mlflow PYTHON_WITH_MLFLOW]
"""

import argparse
import asyncio
import os
import secrets
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from beside.mlflow_server import MLflow, mlflow_with

from app.db.repositories import experiments, tasks
from app.db.session import Database, open_database
from app.domain.events import StepLogged
from app.domain.filters import parse_filter, parse_sort
from app.runs.directory import create_run
from app.runs.event_log import append_event
from app.services.recording import Claim, Recorder

STATES = ("SUCCESS", "SUCCESS", "SUCCESS", "FAILURE", "REVOKED")
SEARCHES: dict[str, dict[str, str]] = {
    "newest 50": {},
    "accuracy > 0.97, best first": {"where": "accuracy > 0.97", "sort": "-accuracy"},
    "one base model, state, by loss": {"where": "base_model = roberta-base and state = SUCCESS", "sort": "loss"},
    "name contains 77": {"where": "name ~ 77"},
}
MODELS = ("minilm", "distilbert-base-uncased", "roberta-base", "albert-base-v2", "bert-base-chinese")
POINT = '{"loss": 0.5, "learning_rate": 0.001, "epoch": 1.5, "tokens_per_second": 900.0}'


def seed(path: Path, count: int, points: int) -> None:
    """Experiments with a task and scores each, and so many metric points spread over them, straight into SQLite."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        ids = range(1, count + 1)
        connection.executemany(
            "INSERT INTO experiments (id, name, experiment_name, owner, created_at, config, base_model, data_name, "
            "seed, library_versions, run_dir, runtime_seconds) "
            "VALUES (?, ?, ?, 'ada', datetime('2026-01-01', ? || ' minutes'), '{}', ?, 'reviews@1', 42, '{}', ?, ?)",
            ((n, f"run-{n:06d}", f"study-{n % 50}", n, MODELS[n % 5], f"run-{n:06d}", n % 977) for n in ids),
        )
        connection.executemany(
            "INSERT INTO tasks (id, kind, experiment_id, state, stage, progress, attempt, events_offset, retryable, "
            "created_at, owner, priority, failures, is_queued) "
            "VALUES (?, 'train', ?, ?, 'done', 1.0, 1, 0, 0, datetime('2026-01-01', ? || ' minutes'), 'ada', 0, 0, 1)",
            ((f"task-{n:08d}", n, STATES[n % 5], n) for n in ids),
        )
        connection.executemany(
            "INSERT INTO evaluations (experiment_id, split, accuracy, macro_f1, loss, metrics) "
            "VALUES (?, 'eval', ?, ?, ?, '{}')",
            ((n, n * 7919 % 10007 / 10007, n * 104729 % 10007 / 10007, n * 31 % 1009 / 1009) for n in ids),
        )
        connection.execute(
            "WITH RECURSIVE step(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM step WHERE n < ?) "
            'INSERT INTO metric_points (experiment_id, kind, step, attempt, time, "values") '
            "SELECT experiments.id, 'step', step.n, 1, 1767225600.0 + step.n, ? FROM experiments, step",
            (max(1, points // count), POINT),
        )
        connection.execute("ANALYZE")


def percentiles(seconds: list[float]) -> tuple[float, float, float]:
    """Median, 95th and 99th percentile in milliseconds."""
    cut = statistics.quantiles([1000 * one for one in seconds], n=100, method="inclusive")
    return cut[49], cut[94], cut[98]


def timed(call: Callable[[], Any], times: int) -> list[float]:
    """Seconds of each call, after one that is not counted."""
    call()
    found = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return found


def row(what: str, seconds: list[float], more: str = "") -> None:
    """One row of the table."""
    p50, p95, p99 = percentiles(seconds)
    print(f"| {what} | {p50:.1f} | {p95:.1f} | {p99:.1f} | {more or ' | '} |", flush=True)


class Server:
    """`finetune start` without a worker, so that what is submitted stays where it is."""

    def __init__(self, folder: Path) -> None:
        with ExitStack() as held:
            free = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
            port, ui_port, serve_port = (one.getsockname()[1] for one in free)
        self.results, self.url, self.port = folder, f"http://127.0.0.1:{port}", port
        self.environment = os.environ | {
            "RESULTS_DIR": str(folder),
            "API_PORT": str(port),
            "UI_PORT": str(ui_port),
            "SERVE_PORT": str(serve_port),
            "MAX_QUEUED": "1000000",
            "OMP_NUM_THREADS": "1",
        }
        self.password = secrets.token_urlsafe(16)

    def finetune(self, *words: str, typed: str = "") -> None:
        """Run a command of the installation."""
        command = [sys.executable, "-m", "app.cli", *words]
        subprocess.run(command, input=typed, text=True, env=self.environment, check=True, stdout=subprocess.DEVNULL)

    @contextmanager
    def running(self) -> Iterator[httpx.Client]:
        """A client that is signed in as an administrator."""
        self.finetune("users", "create", "ada", "--role", "admin", "--password-stdin", typed=self.password)
        begun = time.perf_counter()
        command = [sys.executable, "-m", "app.cli", "start", "--workers", "0"]
        with subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as top:
            try:
                while not self._answers():
                    if top.poll() is not None:
                        raise SystemExit("error: `finetune start` ended before it answered")
                    time.sleep(0.02)
                self.seconds_in_all = time.perf_counter() - begun
                self.seconds_to_start = time.time() - self.api_process().create_time()
                answer = httpx.post(f"{self.url}/login", json={"username": "ada", "password": self.password}).json()
                self.token = answer["access_token"]
                headers = {"Authorization": f"Bearer {self.token}"}
                with httpx.Client(base_url=self.url, headers=headers, timeout=60) as client:
                    yield client
            finally:
                top.terminate()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def api_process(self) -> psutil.Process:
        """The process that answers requests."""
        for process in psutil.process_iter(["cmdline"]):
            if "app.main" in (process.info["cmdline"] or ()) and process.environ().get("API_PORT") == str(self.port):
                return process
        raise LookupError("no API process")


async def poll(port: int, path: str, token: str, clients: int, seconds: float) -> list[float]:
    """So many clients that ask for a path once a second; how long each answer took, in seconds."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    took: list[float] = []
    ends = time.perf_counter() + seconds

    async def one(number: int) -> None:
        await asyncio.sleep(number / clients)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < ends:
            started = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head[:200]
            length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))[16:])
            await reader.readexactly(length)
            took.append(time.perf_counter() - started)
            await asyncio.sleep(max(0.0, 1.0 - took[-1]))
        writer.close()

    await asyncio.gather(*(one(number) for number in range(clients)))
    return took


def ingest(results: Path, children: int, events_each: int, per_second: float) -> tuple[list[float], float]:
    """Trainings that report at a steady rate, followed as a worker does; how long until each event is stored."""
    database = open_database(f"sqlite:///{results}/experiments.db")
    lags: list[float] = []

    def child(number: int) -> None:
        run = create_run(results, f"ingest-{number}")
        with database.write() as session:
            experiment_id, task_id = experiments.create(
                session,
                name=run.name,
                experiment_name="ingest",
                config={},
                base_model="minilm",
                seed=1,
                run_dir=run.name,
            )
            tasks.claim(session, task_id, token=run.name, pid=1, hostname="here")
        recorder = Recorder(database, run, Claim(task_id, experiment_id, 1, run.name))
        done = threading.Event()

        def write() -> None:
            for step in range(1, events_each + 1):
                append_event(run.events, _step(step, events_each))
                time.sleep(1 / per_second)
            done.set()

        threading.Thread(target=write).start()
        while True:
            is_last = done.is_set()
            lags.extend(time.time() - event.time for event in recorder.take_new())
            if is_last:
                return
            time.sleep(0.2)

    started = time.perf_counter()
    threads = [threading.Thread(target=child, args=(number,)) for number in range(children)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return lags, len(lags) / (time.perf_counter() - started)


def _step(step: int, total: int) -> StepLogged:
    return StepLogged(
        time=time.time(),
        step=step,
        total_steps=total,
        epoch=1.0,
        loss=0.5,
        learning_rate=0.001,
        samples_per_second=100.0,
        tokens_per_second=900.0,
        eta_seconds=1.0,
    )


def searches(client: httpx.Client, server: Server, size: int, mlflow: MLflow | None, times: int) -> None:
    """The same searches by both servers, and by what is below them; a row each."""
    database = open_database(f"sqlite:///{server.results}/experiments.db")
    stored = mlflow.store(times) if mlflow else {}
    for name, query in SEARCHES.items():
        ours = timed(partial(_get, client, "/experiments", query), times)
        beside = ""
        if mlflow:
            theirs = timed(partial(mlflow.search, name), times)
            below = timed(partial(_page, database, query), times)
            beside = f"{_ratio(theirs, ours)} | {_ratio(stored[name], below)}"
        row(f"{size:,} experiments: {name}", ours, beside)


def _ratio(theirs: list[float], ours: list[float]) -> str:
    """Their median, and how many times ours it is."""
    median = statistics.median(theirs)
    return f"{1000 * median:.0f} ms, {median / statistics.median(ours):.1f}x"


def _page(database: Database, query: Mapping[str, str]) -> None:
    where = parse_filter(query["where"]) if "where" in query else None
    order = parse_sort(query["sort"]) if "sort" in query else experiments.NEWEST_FIRST
    with database.read() as session:
        experiments.page(session, where, order, after=None, limit=50)


def _get(client: httpx.Client, path: str, query: Mapping[str, Any]) -> None:
    client.get(path, params=query).raise_for_status()


def load(client: httpx.Client, server: Server, options: argparse.Namespace) -> None:
    """Submitting, polling, events and logs, on the installation with the most experiments."""
    with Path("examples/reviews_train.csv").open("rb") as file:
        client.post("/datasets", data={"name": "reviews"}, files={"file": file}).raise_for_status()
    body = {"data": {"train": "reviews@1"}, "training": {"max_steps": 1}}
    submitted = timed(lambda: client.post("/train", json=body).raise_for_status(), options.times)
    row("submit a training", submitted, f"{1 / statistics.mean(submitted):.0f}/s by one client | ")
    task = client.post("/train", json=body).json()["task_id"]
    polled = asyncio.run(poll(server.port, f"/task/{task}", server.token, options.clients, 15.0))
    row(f"poll a task, {options.clients} clients once a second", polled, f"{len(polled) / 15:.0f} answers/s | ")
    lags, rate = ingest(server.results, options.children, 50, 5.0)
    row(f"an event of {options.children} running trainings until it is stored", lags, f"{rate:.0f} events/s | ")
    run = client.get(f"/task/{task}").json()["experiment"]
    (server.results / run).mkdir(exist_ok=True)
    for megabytes in (1, 100):
        log = server.results / run / "logs.txt"
        log.write_bytes(b"a line of the log that says what was done\n" * (megabytes * 25_000))
        end = {"offset": log.stat().st_size - 4000}
        tail = timed(partial(_get, client, f"/task/{task}/logs", end), options.times)
        row(f"the last 4 kB of a log of {megabytes} MB", tail)


def main() -> None:
    """Measure and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument(
        "--points", type=int, default=100_000, help="metric points of the largest; others in proportion"
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--children", type=int, default=20)
    parser.add_argument("--times", type=int, default=50, help="calls of each kind")
    parser.add_argument("--mlflow", metavar="PYTHON", help="a Python that has MLflow, to measure it beside")
    options = parser.parse_args()
    print("| what | p50, ms | p95, ms | p99, ms | MLflow's server | MLflow's store, ours without HTTP |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            server = Server(Path(folder) / str(size))
            server.finetune("experiments", "list")
            seed(server.results / "experiments.db", size, options.points * size // max(options.sizes))
            with server.running() as client, mlflow_with(options.mlflow, Path(folder), size) as mlflow:
                searches(client, server, size, mlflow, options.times)
                if size == max(options.sizes):
                    load(client, server, options)
                    process = server.api_process()
                    print(f"| the API's memory, MB | {process.memory_info().rss / 1e6:.0f} | | | | |")
                    print(f"| from the API's start to its first answer, s | {server.seconds_to_start:.1f} | | | | |")
                    print(f"| from `finetune start` to it, s | {server.seconds_in_all:.1f} | | | | |")


if __name__ == "__main__":
    main()
