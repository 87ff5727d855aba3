"""MLflow beside our platform, with as many runs: its server, and its store in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx

# The filter and the order, as MLflow writes them.
SEARCHES: dict[str, tuple[str, list[str]]] = {
    "newest 50": ("", ["attributes.start_time DESC"]),
    "accuracy > 0.97, best first": ("metrics.accuracy > 0.97", ["metrics.accuracy DESC"]),
    "one base model, state, by loss": (
        "params.base_model = 'roberta-base' and attributes.status = 'FINISHED'",
        ["metrics.loss ASC"],
    ),
    "name contains 77": ("attributes.run_name LIKE '%77%'", ["attributes.start_time DESC"]),
}


class MLflow:
    """MLflow with as many runs: its server, and its store in a process of its own."""

    def __init__(self, python: str, database: Path, size: int) -> None:
        self._python, self._database, self._size = python, database, size
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._client = httpx.Client(base_url=self._url, timeout=60)

    @contextmanager
    def running(self) -> Iterator[Self]:
        """MLflow, its server up."""
        self._call("seed", str(self._size))
        command = [self._python, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{self._database}"]
        command += ["--port", self._url.rpartition(":")[2], "--workers", "1"]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as top:
            try:
                while not self._answers():
                    time.sleep(0.2)
                time.sleep(10)  # its other processes are still starting
                yield self
            finally:
                os.killpg(top.pid, signal.SIGTERM)

    def search(self, name: str) -> None:
        """Ask the server for the first 50 runs of one of SEARCHES."""
        where, order = SEARCHES[name]
        wanted = {"experiment_ids": ["0"], "filter": where, "order_by": order, "max_results": 50}
        answer = self._client.post("/api/2.0/mlflow/runs/search", json=wanted).raise_for_status()
        assert answer.json()["runs"]

    def store(self, times: int) -> dict[str, list[float]]:
        """Seconds of each search in the store, by name."""
        found: dict[str, list[float]] = json.loads(self._call("search", json.dumps(SEARCHES), str(times)))
        return found

    def _call(self, *words: str) -> str:
        script = Path(__file__).with_name("mlflow_store.py")
        command = [self._python, str(script), str(self._database), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1]

    def _answers(self) -> bool:
        try:
            return self._client.get("/health").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def mlflow_with(python: str | None, folder: Path, size: int) -> Iterator[MLflow | None]:
    """MLflow with so many runs, where there is a Python that has it."""
    if python is None:
        yield None
        return
    with MLflow(python, folder / f"mlflow{size}.db", size).running() as mlflow:
        yield mlflow
