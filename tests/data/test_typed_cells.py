"""Numbers, truth values and labels are the same rows from every format, and keep the words somebody wrote."""

import csv
import json
from pathlib import Path

import pytest

from app.data.readers import read

TYPED = [("first text\nof two lines", True, 1.0), ("second", False, 0.5), ("third", True, 2.0), ("fourth", False, 1.0)]


@pytest.mark.parametrize("label", ["flag", "score"])
def test_typed_labels_and_line_ends_are_the_same_rows_from_every_format(tmp_path: Path, label: str) -> None:
    import openpyxl
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"text": text.replace("\n", "\r\n"), "flag": flag, "score": score} for text, flag, score in TYPED * 5]
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "rows.json").write_text(json.dumps(rows).replace("true", "true "))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    book = openpyxl.Workbook()
    for row in [list(rows[0]), *(list(row.values()) for row in rows)]:
        book.active.append(row)
    book.save(tmp_path / "rows.xlsx")
    upper = [{**row, "flag": str(row["flag"]).upper(), "score": f"{row['score']:.2f}"} for row in rows]
    with (tmp_path / "upper.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([list(rows[0]), *(list(row.values()) for row in upper)])
    found = {path.name: read(str(path), label_column=label) for path in tmp_path.iterdir()}
    assert len(found) == 6
    expected = ["true", "false"] if label == "flag" else ["1", "0.5", "2"]
    for name, one in found.items():
        assert list(dict.fromkeys(one.labels)) == expected, name
        assert one.texts == [text for text, *_ in TYPED * 5], name


def _labelled(path: Path, *labels: str) -> Path:
    path.write_text(
        "text,label\n" + "".join(f'"text number {n}, as it was",{labels[n % len(labels)]}\n' for n in range(12))
    )
    return path


def test_labels_of_which_some_are_names_stay_as_they_are_spelt(tmp_path: Path) -> None:
    train = read(str(_labelled(tmp_path / "rows.csv", "True", "1.0", "Fake")))
    assert set(train.labels) == {"True", "1.0", "Fake"}
    assert set(read(str(_labelled(tmp_path / "eval.csv", "True")), like=train.detected).labels) == {"True"}


def test_labels_of_evaluation_rows_are_spelt_as_those_of_the_training_rows(tmp_path: Path) -> None:
    train = read(str(_labelled(tmp_path / "rows.csv", "True", "False")))
    assert set(train.labels) == {"true", "false"}
    assert set(read(str(_labelled(tmp_path / "eval.csv", "TRUE", "no")), like=train.detected).labels) == {"true", "no"}


def test_texts_that_are_numbers_or_truth_values_keep_their_words(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "True,a\n1.0,b\n2.50,a\nFALSE,b\n")
    assert read(str(path)).texts == ["True", "1.0", "2.50", "FALSE"]
