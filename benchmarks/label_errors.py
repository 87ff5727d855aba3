"""Wrong labels planted in real data: how many are found, and what removing the suspects does for a model.

In each training file 5 % of the labels are exchanged: `random` for any other label, `confusable` for the label that a
model on the clean file most often takes it for (with two labels both are the same). The suspects come from what
`finetune data label-errors` does. Beside it: random rows, and the rows whose given label a cross-validated model finds
least probable, without confident learning. A share of what is called wrong in real data was wrong before anything was
planted, so no precision reaches 1.

    .venv/bin/python benchmarks/label_errors.py sst2=train.tsv banking77=train.csv
    .venv/bin/python benchmarks/label_errors.py --train sst2=train.tsv,dev.tsv,test.tsv

With --train, which needs a test file (and takes an evaluation file before it), models are trained with shipped defaults
on the clean file, on the noisy one, and on the noisy one without the rows removed, each scored on the test
file: without our strong doubts, and without 5 % of the rows, chosen by us, by lowest self-confidence, by chance. What
is recovered is the part of the loss from clean to noisy that removal brings back. --ways trains on some alone;
without `clean` and `noisy` among them nothing is said of what is recovered.
"""

import argparse
import csv
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from accuracy import train
from numpy.typing import NDArray

from app.data.label_errors import LabelProbabilities
from app.data.label_review import Labelled
from app.data.labels import label_order
from app.data.out_of_fold import out_of_fold
from app.data.readers import read
from app.services.label_errors import find

SHARE = 0.05
WAYS = {"TF-IDF": "none", "TF-IDF and embeddings": "minilm"}
ENDS = ("clean", "noisy")
REMOVALS = ("strong", "first", "self-confidence", "chance")
Ints = NDArray[np.int64]


def plant(texts: list[str], true_N: Ints, num_labels: int, kind: str, seed: int) -> Ints:
    """The labels with 5 % of them exchanged."""
    generator = np.random.default_rng(seed)
    flipped = generator.choice(len(true_N), round(SHARE * len(true_N)), replace=False)
    given_N = true_N.copy()
    if kind == "random":
        shift = generator.integers(1, num_labels, len(flipped))
        given_N[flipped] = (true_N[flipped] + shift) % num_labels
        return given_N
    judged = out_of_fold(texts, true_N, num_labels)
    taken_for = {}
    for label in range(num_labels):
        others = judged.labels[true_N == label][:, :2]
        counts = Counter(int(best if best != label else second) for best, second in others)
        taken_for[label] = counts.most_common(1)[0][0]
    given_N[flipped] = [taken_for[int(label)] for label in true_N[flipped]]
    return given_N


def write(path: Path, texts: Sequence[str], labels: Sequence[str], leave_out: frozenset[int] = frozenset()) -> Path:
    """A csv of the rows; `leave_out` has places that are not written."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        rows = enumerate(zip(texts, labels, strict=True))
        writer.writerows(row for place, row in rows if place not in leave_out)
    return path


def least_probable(probabilities: LabelProbabilities) -> list[int]:
    """Every row, that of the least probable given label first."""
    return np.argsort(np.nan_to_num(probabilities.own, nan=1.0), kind="stable").tolist()


def line(name: str, kind: str, by: str, ranked: list[int], wrong: frozenset[int], seconds: float | None) -> None:
    """One row of the table; recall is that of the whole list where the method says where to stop."""
    number = len(wrong)

    def precision(rows: list[int]) -> float:
        return sum(row in wrong for row in rows) / max(1, len(rows))

    whole = "-" if by in ("random", "lowest self-confidence") else f"{len(ranked):,}"
    recall = "-" if whole == "-" else f"{sum(row in wrong for row in ranked) / number:.0%}"
    print(
        f"| {name} | {kind} | {by} | {precision(ranked[:100]):.0%} | {precision(ranked[:number]):.0%} | {whole} "
        f"| {recall} | {'-' if seconds is None else f'{seconds:.0f}'} |",
        flush=True,
    )


def main() -> None:
    """Plant, find, and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "datasets", nargs="*", metavar="NAME=TRAIN[,[EVAL,]TEST]", default=["reviews=examples/reviews_train.csv"]
    )
    parser.add_argument("--train", action="store_true", help="what removal does for a model")
    parser.add_argument("--kinds", nargs="+", default=["random", "confusable"], choices=["random", "confusable"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[42], help="of the planting and of the training")
    every = [*ENDS, *REMOVALS]
    parser.add_argument("--ways", nargs="+", default=every, choices=every, help="rows to train on, or to remove")
    parser.add_argument("--max-steps", type=int, help="train for so many steps; else as long as the defaults say")
    parser.add_argument("--threads", type=int, help="of each training; else the physical cores")
    options = parser.parse_args()
    chosen = {"max_steps": options.max_steps, "num_threads": options.threads}
    settings = {name: value for name, value in chosen.items() if value}
    if options.train:
        print("| data | flips | trained on | rows | test accuracy, % | recovered |")
        print("|---|---|---|---|---|---|")
    else:
        print("| data | flips | by | precision at 100 | at 5 % | suspects | recall | seconds |")
        print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as where:
        for dataset in options.datasets:
            name, _, files = dataset.partition("=")
            if options.train:
                gain(name, files.split(","), options.kinds, options.ways, options.seeds, Path(where), settings)
                continue
            for kind in options.kinds:
                detection(name, files.split(",")[0], kind, options.seeds[0], Path(where))


def detection(name: str, file: str, kind: str, seed: int, where: Path) -> None:
    """How many of the planted errors each way finds."""
    texts, labels, given, wrong = noisy(file, kind, seed)
    path = write(where / f"{name}-{kind}.csv", texts, given)
    for way, base_model in WAYS.items():
        started = time.perf_counter()
        labelled = Labelled.read(str(path), where, "text", "label")
        ranked = [one.row - 1 for one in find(labelled, where, base_model=base_model).suspects]
        line(name, kind, way, ranked, wrong, time.perf_counter() - started)
    ids = {label: number for number, label in enumerate(labels)}
    judged = out_of_fold(texts, np.array([ids[label] for label in given]), len(labels))
    line(name, kind, "lowest self-confidence", least_probable(judged), wrong, None)
    chance = np.random.default_rng(seed).permutation(len(texts)).tolist()
    line(name, kind, "random", chance, wrong, None)


def noisy(file: str, kind: str, seed: int) -> tuple[list[str], list[str], list[str], frozenset[int]]:
    """Texts, labels in order, given labels with errors planted, and the places of the errors."""
    rows = read(file)
    texts, labels = list(rows.texts), label_order(rows.labels)
    ids = {label: number for number, label in enumerate(labels)}
    true_N = np.array([ids[label] for label in rows.labels])
    given_N = plant(texts, true_N, len(labels), kind, seed)
    return texts, labels, [labels[i] for i in given_N], frozenset(np.flatnonzero(given_N != true_N).tolist())


def gain(
    name: str,
    files: list[str],
    kinds: list[str],
    ways: list[str],
    seeds: list[int],
    where: Path,
    settings: dict[str, int],
) -> None:
    """Test accuracy of models trained on the clean, the noisy and the cleaned rows, means over the seeds."""
    best = None
    if "clean" in ways:
        rows = read(files[0])
        scores = [_score(where, f"{name}-clean", rows.texts, rows.labels, files[1:], seed, settings) for seed in seeds]
        best = statistics.mean(scores)
        _gain_line(name, "-", "clean", len(rows.texts), scores, "-")
    for kind in kinds:
        found: dict[str, list[float]] = {}
        sizes: dict[str, list[int]] = {}
        for seed in seeds:
            texts, labels, given, wrong = noisy(files[0], kind, seed)
            source = write(where / f"{name}-{kind}-{seed}.csv", texts, given)
            removed = _removed(source, where, texts, labels, given, len(wrong), seed)
            for number, (way, places) in enumerate(removed[way] for way in ways if way != "clean"):
                run = f"{name}-{kind}-{number}"
                found.setdefault(way, []).append(
                    _score(where, run, texts, given, files[1:], seed, settings, frozenset(places))
                )
                sizes.setdefault(way, []).append(len(texts) - len(places))
        worst = statistics.mean(found["noisy"]) if "noisy" in found else None
        for way, scores in found.items():
            recovered = _recovered(statistics.mean(scores), best, worst) if way != "noisy" else "-"
            _gain_line(name, kind, way, round(statistics.mean(sizes[way])), scores, recovered)


def _recovered(score: float, best: float | None, worst: float | None) -> str:
    """The part of the way from `worst` back to `best`, where there is one and both are known."""
    if best is None or worst is None or best <= worst:
        return "-"
    return f"{(score - worst) / (best - worst):.0%}"


def _removed(
    source: Path, where: Path, texts: list[str], labels: list[str], given: list[str], number: int, seed: int
) -> dict[str, tuple[str, list[int]]]:
    """Of each way to choose rows to remove, what the table calls it and the places of the rows."""
    suspects = find(Labelled.read(str(source), where, "text", "label"), where, base_model="minilm").suspects
    ids = {label: place for place, label in enumerate(labels)}
    judged = out_of_fold(texts, np.array([ids[label] for label in given]), len(labels))
    chance = np.random.default_rng(seed).permutation(len(texts)).tolist()
    return {
        "noisy": ("noisy", []),
        "strong": ("noisy without strong doubts", [one.row - 1 for one in suspects if one.strong]),
        "first": ("noisy without the first 5 %", [one.row - 1 for one in suspects[:number]]),
        "self-confidence": ("noisy without 5 % of lowest self-confidence", least_probable(judged)[:number]),
        "chance": ("noisy without 5 % at random", chance[:number]),
    }


def _score(
    where: Path,
    run: str,
    texts: Sequence[str],
    labels: Sequence[str],
    others: list[str],
    seed: int,
    settings: dict[str, int],
    leave_out: frozenset[int] = frozenset(),
) -> float:
    path = write(where / f"{run}-{seed}-rows.csv", texts, labels, leave_out)
    metrics = train(where, run, [str(path), *others], seed, settings)
    return 100.0 * float(metrics["test"]["accuracy"])


def _gain_line(name: str, kind: str, way: str, rows: int, scores: list[float], recovered: str) -> None:
    each = f" ({', '.join(f'{score:.1f}' for score in scores)})" if len(scores) > 1 else ""
    print(f"| {name} | {kind} | {way} | {rows:,} | {statistics.mean(scores):.1f}{each} | {recovered} |", flush=True)


if __name__ == "__main__":
    main()
