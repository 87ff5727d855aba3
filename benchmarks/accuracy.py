"""Test accuracy with shipped defaults: one run a data set and seed, through the engine as a user starts it.

Give each data set as NAME=TRAIN,TEST or NAME=TRAIN,EVAL,TEST (labelled files); nothing else is set. The best step is
chosen on evaluation rows, the test rows are scored once.

    .venv/bin/python benchmarks/accuracy.py sst2=train.tsv,dev.tsv,test.tsv banking77=train.csv,test.csv --seeds 42 1 2
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from app.runs.directory import RunDirectory, create_run
from app.runs.files import read_json

EXAMPLES = "reviews=examples/reviews_train.csv,examples/reviews_test.csv"


def train(results: Path, name: str, files: list[str], seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """One run; the content of its metrics.json."""
    run: RunDirectory = create_run(results, f"{name}-{seed}")
    sources = dict(zip(("train", "test") if len(files) == 2 else ("train", "eval", "test"), files, strict=True))
    data = {split: str(Path(file).resolve()) for split, file in sources.items()}
    config = {"experiment_name": name, "data": data, "training": {"seed": seed, **settings}}
    run.config.write_text(yaml.safe_dump(config), encoding="utf-8")
    with run.log.open("w", encoding="utf-8") as log:
        status = subprocess.run([sys.executable, "-m", "app.train", str(run.path)], stdout=log, stderr=log).returncode
    if status != 0:
        sys.exit(run.log.read_text(encoding="utf-8")[-2000:])
    metrics: dict[str, Any] = read_json(run.metrics)
    return metrics


def main() -> None:
    """Train and print a line a run and a line a data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=[EXAMPLES], metavar="NAME=TRAIN[,EVAL],TEST")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1, 2])
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: physical cores)")
    options = parser.parse_args()
    settings = {"num_threads": options.threads} if options.threads else {}
    with tempfile.TemporaryDirectory() as where:
        for dataset in options.datasets:
            name, _, files = dataset.partition("=")
            scores = []
            for seed in options.seeds:
                metrics = train(Path(where), name, files.split(","), seed, settings)
                scores.append(100 * metrics["test"]["accuracy"])
                seconds, rate = metrics["train"]["runtime_seconds"], metrics["train"]["samples_per_second"]
                print(
                    f"{name} seed {seed}: test {scores[-1]:.2f} %, eval {100 * metrics['eval']['accuracy']:.2f} %, "
                    f"{seconds:.0f} s, {rate:.0f} samples/s",
                    flush=True,
                )
            print(
                f"{name}: mean {statistics.mean(scores):.2f} % (from {min(scores):.2f} to {max(scores):.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
