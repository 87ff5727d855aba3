"""`finetune data label-errors` on labels flipped on purpose."""

import csv
import json
import random
from pathlib import Path

from typer.testing import CliRunner

from app.cli.main import app


def _flipped(assets: Path, to: Path) -> set[int]:
    """Three BANKING77 intents with one label in twenty exchanged; the rows (from 1) that were."""
    with (assets / "data" / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    names = ["card_arrival", "exchange_rate", "lost_or_stolen_card"]
    rows = [row for row in rows if row[1] in names]
    generator = random.Random(3)
    generator.shuffle(rows)
    flipped = set(generator.sample(range(1, len(rows) + 1), len(rows) // 20))
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number, (text, label) in enumerate(rows, 1):
            other = names[(names.index(label) + 1) % 3]
            writer.writerow([text, other if number in flipped else label])
    return flipped


def test_flipped_labels_come_first_with_the_label_they_had(assets: Path, tmp_path: Path) -> None:
    flipped = _flipped(assets, tmp_path / "rows.csv")
    result = CliRunner().invoke(app, ["data", "label-errors", str(tmp_path / "rows.csv"), "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert len(flipped) == 17
    assert len({one["row"] for one in found[:10]} & flipped) >= 9
    assert len({one["row"] for one in found} & flipped) >= 12
    assert all(one["given"] != one["suggested"] and 0 < one["confidence"] <= 1 for one in found)


def test_a_table_is_shown_and_progress_goes_to_stderr(repository: Path) -> None:
    file = repository / "examples" / "reviews_train.csv"
    result = CliRunner().invoke(app, ["data", "label-errors", str(file), "--limit", "3"])
    assert result.exit_code == 0
    assert "rows" in result.stdout.splitlines()[0]
    assert "model 5 of 5 done" in result.stderr


def test_a_file_with_one_label_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"a text number {n},same\n" for n in range(9)), encoding="utf-8")
    result = CliRunner().invoke(app, ["data", "label-errors", str(path)])
    assert result.exit_code != 0
    assert "fewer than two labels" in str(result.exception) + result.output
