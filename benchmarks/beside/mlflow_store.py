"""MLflow's SQLite store with runs like ours, for `mlflow_server.py`; runs in a Python that has MLflow.

PYTHON_WITH_MLFLOW benchmarks/beside/mlflow_store.py DATABASE seed COUNT
PYTHON_WITH_MLFLOW benchmarks/beside/mlflow_store.py DATABASE search '{"NAME": ["FILTER", ["ORDER"]]}' TIMES
"""

import json
import logging
import sqlite3
import sys
import time

logging.disable(logging.CRITICAL)

from mlflow.entities import ViewType  # noqa: E402
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: E402

MODELS = ("minilm", "distilbert-base-uncased", "roberta-base", "albert-base-v2", "bert-base-chinese")
STATES = ("FINISHED", "FINISHED", "FINISHED", "FAILED", "KILLED")
SCORES = {"accuracy": (7919, 10007), "loss": (31, 1009), "macro_f1": (104729, 10007)}
"""By name: the factor and the modulus that spread a run's number over 0 to 1."""


def seed(path: str, count: int) -> None:
    """Runs with a name, a state, a base model and three scores, straight into SQLite."""
    ids = [(number, f"{number:032x}") for number in range(1, count + 1)]
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO runs (run_uuid, name, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, "
            "experiment_id, source_type) VALUES (?, ?, 'ada', ?, ?, ?, 'active', 'x', 0, 'LOCAL')",
            [(run, f"run-{n:06d}", STATES[n % 5], n, n + 1) for n, run in ids],
        )
        for name, (factor, modulus) in SCORES.items():
            connection.executemany(
                "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, 1, 1, 0, ?)",
                [(name, n * factor % modulus / modulus, run) for n, run in ids],
            )
        connection.executemany(
            "INSERT INTO params (key, value, run_uuid) VALUES ('base_model', ?, ?)",
            [(MODELS[n % 5], run) for n, run in ids],
        )
        connection.executemany(
            "INSERT INTO tags (key, value, run_uuid) VALUES ('mlflow.runName', ?, ?)",
            [(f"run-{n:06d}", run) for n, run in ids],
        )
        connection.execute("ANALYZE")


def seconds(store: SqlAlchemyStore, where: str, order: list[str], times: int) -> list[float]:
    """How long each search took, after one that is not counted."""
    took = []
    for _ in range(times + 1):
        started = time.perf_counter()
        store.search_runs(["0"], where, ViewType.ACTIVE_ONLY, 50, order)
        took.append(time.perf_counter() - started)
    return took[1:]


def main(path: str, what: str, *words: str) -> None:
    """Seed or search; searches print their seconds as JSON."""
    store = SqlAlchemyStore(f"sqlite:///{path}", f"{path}-artifacts")
    if what == "seed":
        seed(path, int(words[0]))
        print("done")
        return
    searches, times = json.loads(words[0]), int(words[1])
    found = {name: seconds(store, where, order, times) for name, (where, order) in searches.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
