"""The data gate on many rows: speed, peak memory and how it grows, beside pandas and a plain loop that do less.

Every measurement is a process of its own on a file made here from a seed: sentences of a made-up language with 2 %
repeated rows, 2 % repeated with a word changed, and labels at random. Ours reads, validates (all findings, near
duplicates among them) and profiles; pandas reads and counts labels, lengths and repeated rows. Quote the ratios.

    .venv/bin/python benchmarks/data_gate.py [--rows 10000 100000 1000000] [--big GB]
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

OURS = """
from app.data.analysis import profile_rows
from app.data.prepare import check
from app.domain.train_config import DataConfig
from app.services.training import base_tokenizer

base = base_tokenizer("minilm")
checked = check(DataConfig(train=sys.argv[1]), base=base)["train"]
profile = profile_rows(checked.texts, checked.labels, base, near_duplicates=checked.num_near_duplicates)
found = {finding.code: finding.count for finding in checked.report.findings}
result = {"rows": profile.rows, "found": found}
"""
PANDAS = """
import pandas

frame = pandas.read_csv(sys.argv[1])
lengths = frame["text"].str.len().describe()
labels = frame["label"].value_counts()
result = {"rows": len(frame), "found": {"duplicate": int(frame.duplicated().sum())}}
"""
LOOP = """
import csv

seen, labels, lengths, duplicates = set(), {}, [], 0
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        key = (row["text"], row["label"])
        duplicates += key in seen
        seen.add(key)
        labels[row["label"]] = labels.get(row["label"], 0) + 1
        lengths.append(len(row["text"]))
result = {"rows": len(lengths), "found": {"duplicate": duplicates}}
"""
FRAME = """
import json, resource, sys, time
started = time.perf_counter()
{work}
result["seconds"] = time.perf_counter() - started
result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))
print(json.dumps(result))
"""
SIDES = {"finetune data gate": OURS, "pandas, does less": PANDAS, "plain loop, does less": LOOP}


def write_rows(path: Path, rows: int, words_a_row: tuple[int, int], seed: int) -> dict[str, int]:
    """Write `rows` rows; how many repeat the row before, and how many do so with one word more, are returned."""
    generator = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(generator.choices(letters, k=generator.randint(2, 9))) for _ in range(20_000)]
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(words))))
    planted = {"repeated": 0, "nearly repeated": 0}
    row: tuple[list[str], int] = ([], 0)
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for _ in range(rows):
            chance = generator.random()
            if row[0] and chance < 0.02:
                planted["repeated"] += 1
            elif len(row[0]) >= 15 and chance < 0.04:
                planted["nearly repeated"] += 1
                row = ([*row[0], generator.choice(words)], row[1])
            else:
                size = generator.randint(*words_a_row)
                row = (generator.choices(words, cum_weights=weights, k=size), generator.randint(0, 9))
            file.write(f"{' '.join(row[0])},label {row[1]}\n")
    return planted


def measure(work: str, path: Path) -> dict[str, Any]:
    """Run in a fresh process; rows, findings, seconds and peak memory in MB."""
    command = [sys.executable, "-c", FRAME.format(work=work), str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    """Measure and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--big", type=float, default=0, metavar="GB", help="also a file of this size, 2 to 4 KB a row")
    options = parser.parse_args()
    print("| rows | file, MB | by | seconds | rows/s | peak, MB | KB more a row | duplicates found |")
    print("|---|---|---|---|---|---|---|---|")
    peaks: dict[str, tuple[int, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        sizes = [(rows, (5, 25)) for rows in options.rows]
        if options.big:
            sizes.append((round(options.big * 1e9 / 2_900), (350, 700)))
        for rows, words_a_row in sizes:
            planted = write_rows(path, rows, words_a_row, seed=rows)
            megabytes = path.stat().st_size / 1e6
            for name, work in SIDES.items():
                got = measure(work, path)
                grown = "-"
                if name in peaks and words_a_row == (5, 25):
                    grown = f"{(got['peak_mb'] - peaks[name][1]) * 1024 / (rows - peaks[name][0]):.2f}"
                peaks[name] = (rows, got["peak_mb"])
                near = got["found"].get("near_duplicate")
                found = f"{got['found'].get('duplicate', 0):,} of {planted['repeated']:,}" + (
                    f"; nearly {near:,} of {planted['nearly repeated']:,}" if near is not None else ""
                )
                print(
                    f"| {rows:,} | {megabytes:,.0f} | {name} | {got['seconds']:.1f} | {rows / got['seconds']:,.0f} "
                    f"| {got['peak_mb']:,.0f} | {grown} | {found} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
