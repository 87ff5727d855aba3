import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.data.findings import Rules
from app.data.readers import as_text, read
from app.data.validation import validate
from app.domain.errors import DataUnreadable, InvalidInput

ROWS = [
    ("a fine, warm day", "pos"),
    ("the soup was cold", "neg"),
    ("我們很喜歡這裡", "pos"),
    ('he said "no" twice', "neg"),
]


def _write_csv(path: Path) -> None:
    lines = [f'"{text.replace(chr(34), chr(34) * 2)}",{label}' for text, label in ROWS]
    path.write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")


def _write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps({"label": n, "text": t}) + "\n" for t, n in ROWS), encoding="utf-8")


def _write_json(path: Path) -> None:
    path.write_text(json.dumps([{"text": t, "label": n} for t, n in ROWS], indent=1), encoding="utf-8")


def _write_json_under_data(path: Path) -> None:
    document = {"version": 2, "authors": ["a", "b"], "data": [{"text": t, "label": n} for t, n in ROWS]}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def _write_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": [t for t, _ in ROWS], "label": [n for _, n in ROWS]}), path)


@pytest.mark.parametrize(
    ("name", "write", "kind"),
    [
        ("rows.csv", _write_csv, "csv"),
        ("rows.jsonl", _write_jsonl, "jsonl"),
        ("rows.txt", _write_jsonl, "jsonl"),
        ("rows.json", _write_jsonl, "jsonl"),
        ("rows.json", _write_json, "json"),
        ("rows.json", _write_json_under_data, "json"),
        ("rows.parquet", _write_parquet, "parquet"),
        ("rows.dat", _write_parquet, "parquet"),
    ],
)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str, write: Callable[[Path], None], kind: str) -> None:
    path = tmp_path / name
    write(path)
    found = read(str(path))
    assert found.detected.format == kind
    assert list(zip(found.texts, found.labels, strict=True)) == ROWS
    assert list(found.numbers) == [1, 2, 3, 4]
    assert len(found.sha256) == 64


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (None, ""),
        (3, "3"),
        (1.0, "1"),
        (0.5, "0.5"),
        (float("nan"), ""),
        (True, "true"),
        (b"caf\xc3\xa9", "café"),
        (b"\xff\x00", "ff00"),
        ("a\r\nb\rc", "a\nb\nc"),
        (["é"], '["é"]'),
    ],
)
def test_cells_become_text_as_a_person_would_write_them(value: object, text: str) -> None:
    assert as_text(value) == text


def test_half_a_surrogate_pair_becomes_a_replacement_character(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "broken \\ud83d here", "label": "a"}\n{"text": "two", "label": "b"}\n')
    assert read(str(path)).texts[0] == "broken \ufffd here"


def test_a_line_that_is_not_json_is_an_unreadable_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "one", "label": "a"}\n{"text": "two", \n[1]\n{"text": "three", "label": "b"}\n')
    found = read(str(path))
    assert [number for number, _ in found.unreadable] == [2, 3]
    assert "line 2 is not JSON" in found.unreadable[0][1]
    assert list(found.numbers) == [1, 4]


def test_an_object_over_the_bound_is_skipped_in_a_json_list(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    long = {"text": 'x "quoted\\" [{' * 100_000, "label": "a", "more": [{"deep": ["]", "}"]}]}
    rows = [{"text": "one", "label": "a"}, long, {"text": "two", "label": "b"}]
    path.write_text(json.dumps(rows))
    found = read(str(path), max_row_bytes=10_000)
    assert found.texts == ["one", "two"]
    assert list(found.numbers) == [1, 3]
    assert "max_row_bytes" in found.unreadable[0][1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"text": "a", "label": "b"}, {"text": ', "not valid JSON"),
        ('[{"text": "a", "label": "b"}', "ends inside its list"),
        ('{"name": "x", \n"size": 3}', "one JSON object without a list"),
        ("[]", "no rows"),
        ('{"data": []}', "no rows"),
    ],
)
def test_broken_json_documents_are_named_for_what_is_wrong(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(content)
    with pytest.raises(DataUnreadable, match=said):
        read(str(path))


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    _write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataUnreadable, match="damaged parquet"):
        read(str(path))


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n")
    with pytest.raises(DataUnreadable, match="header but no rows"):
        read(str(path))


def test_columns_of_the_training_data_are_looked_for_first(tmp_path: Path) -> None:
    train, other = tmp_path / "train.csv", tmp_path / "eval.csv"
    train.write_text("review,mark\n" + "the food was very good,a\nthe food was very bad,b\n" * 5)
    other.write_text("text,review,label,mark\n" + "x,good and cheap,1,a\ny,bad and dear,2,b\n" * 5)
    like = read(str(train)).detected
    found = read(str(other), like=like)
    assert (found.detected.text_column, found.detected.label_column) == ("review", "mark")
    assert "as in the training data" in found.detected.reasons["text_column"]


def test_columns_go_by_number_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text("1\tx\tthe room was clean\n0\ty\tthe room was dirty\n" * 4)
    found = read(str(path), text_column="3", label_column="1")
    assert found.detected.columns == ["1", "2", "3"]
    assert found.labels[:2] == ["1", "0"]


def _csv(rows: list[list[str]], **layout: Any) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, **layout).writerows(rows)
    return written.getvalue()


def _sentence(number: int) -> str:
    return f"{('the room, at last', 'no soup', 'a loud, long night')[number % 3]} in house number {number}"


N = range(30)
WILD = {
    "index column": (_csv([["", "text", "label"], *([i, _sentence(i), i % 2] for i in N)]), "text", "label"),
    "empty columns": (_csv([["v1", "v2", "", ""], *(["ab"[i % 2], _sentence(i), "", ""] for i in N)]), "v2", "v1"),
    "semicolons": (
        _csv([["Satz", "Klasse"], *([_sentence(i), "ab"[i % 2]] for i in N)], delimiter=";"),
        "Satz",
        "Klasse",
    ),
    "no header, ids": (_csv([["ab"[i % 2], f"{10**9 + i}", "NONE", _sentence(i)] for i in N]), "4", "1"),
    "title and body": (_csv([[1 + i % 2, f"A fine title {i}", _sentence(i) * 3] for i in N]), "3", "1"),
    "prefixed labels": ("".join(f"__label__{'ab'[i % 2]} {_sentence(i)}\n" for i in N), "2", "1"),
    "another script": ("".join(f"Очень хороший отель {i}\tда\nПлохо и дорого {i}\tнет\n" for i in N), "1", "2"),
}


@pytest.mark.parametrize("kind", WILD)
def test_layouts_of_other_programs_are_understood(tmp_path: Path, kind: str) -> None:
    content, text_column, label_column = WILD[kind]
    path = tmp_path / "rows.txt"
    path.write_bytes(content.encode())
    found = read(str(path))
    assert (found.detected.text_column, found.detected.label_column) == (text_column, label_column)
    assert len(set(found.labels)) == 2
    assert len(set(found.texts)) == found.num_rows
    assert found.num_unreadable == 0


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"]) | st.sampled_from('\n\r",;'), min_size=1)
TABLES = st.lists(st.tuples(CELLS.filter(str.strip), st.sampled_from(["pos", "neg"])), min_size=4, max_size=12)


def _with_line_feeds(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(text.replace("\r\n", "\n").replace("\r", "\n"), label) for text, label in rows]


@given(TABLES)
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerows([("text", "label"), *rows])
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_bytes(written.getvalue().encode())
    found = read(str(path), text_column="text", label_column="label")
    assert list(zip(found.texts, found.labels, strict=True)) == _with_line_feeds(rows)


@given(TABLES)
def test_what_a_json_writer_wrote_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    records = [{"text": text, "label": label} for text, label in rows]
    folder = tmp_path_factory.mktemp("json")
    (folder / "rows.json").write_text(json.dumps({"data": records}))
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records))
    for path in folder.iterdir():
        found = read(str(path))
        assert list(zip(found.texts, found.labels, strict=True)) == _with_line_feeds(rows)


def test_a_bound_beyond_what_can_be_counted_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    _write_csv(path)
    assert len(read(str(path), max_row_bytes=10**30).texts) == 4


def test_a_text_file_without_labels_is_one_text_a_line(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    lines = ["Good, I liked it", "Bad, I did not", "Good, again", '{"a": 1}', "Bad, 太糟了", "[INST] text"] * 5
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    rows = read(str(path), want_label=False)
    assert rows.texts == lines
    assert (rows.detected.text_column, rows.detected.label_column, rows.detected.header) == ("1", None, False)


def test_a_blank_line_between_texts_is_a_row_where_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("\none\n \ntwo\n\n", encoding="utf-8")
    assert read(str(path), want_label=False).texts == ["", "one", "", "two"]


def test_an_overlong_line_is_an_unreadable_text(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("one\n" + "x" * 500 + "\nthree\n", encoding="utf-8")
    rows = read(str(path), want_label=False, max_row_bytes=100)
    assert (rows.texts, list(rows.numbers), [number for number, _ in rows.unreadable]) == (
        ["one", "three"],
        [1, 3],
        [2],
    )


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_without_labels_only_the_text_column_is_chosen(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in{suffix}"
    rows = [{"text": f"text, number {n}", "category": "ab"[n % 2], "rating": n % 3} for n in range(30)]
    if suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    found = read(str(path), want_label=False)
    assert found.texts == [row["text"] for row in rows]
    assert found.detected.label_column is None


def test_a_column_asked_for_in_a_text_file_is_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("id,text\n1,one text\n2,another text\n", encoding="utf-8")
    assert read(str(path), text_column="text", want_label=False).texts == ["one text", "another text"]


MIXED = [(f"un café très bon, numéro {n}", "good" if n % 2 else "bad") for n in range(400)]


@pytest.mark.parametrize("kind", ["csv", "quoted", "jsonl", "json", "fasttext", "lines"])
def test_rows_in_a_second_encoding_are_counted_and_named(tmp_path: Path, kind: str) -> None:
    def encoded(line: str, number: int) -> bytes:
        return line.encode("cp1252" if number % 3 == 0 else "utf-8")

    path = tmp_path / f"rows.{'txt' if kind in ('fasttext', 'lines') else kind.replace('quoted', 'csv')}"
    lines = {
        "csv": ["text,label\n", *(f'"{text}",{label}\n' for text, label in MIXED)],
        "quoted": ["text,label\n", *(f'"{text}\ntrès drôle",{label}\n' for text, label in MIXED)],
        "jsonl": [json.dumps({"text": t, "label": n}, ensure_ascii=False) + "\n" for t, n in MIXED],
        "json": ["[", *(json.dumps({"text": t, "label": n}, ensure_ascii=False) + ",\n" for t, n in MIXED), "{}]"],
        "fasttext": [f"__label__{label} {text}\n" for text, label in MIXED],
        "lines": [f"{text}\n" for text, _ in MIXED],
    }[kind]
    first = 1 if kind in ("csv", "quoted", "json") else 0
    path.write_bytes(b"".join(encoded(line, number - first) for number, line in enumerate(lines)))
    rows = read(str(path), want_label=kind != "lines")
    assert list(rows.other_rows) == list(range(1, 401, 3))
    assert rows.texts[0].startswith(MIXED[0][0])
    assert rows.texts[1].startswith(MIXED[1][0])
    if kind in ("csv", "quoted", "jsonl"):
        (found,) = [f for f in validate(rows, Rules()).report.findings if "two encodings" in f.message]
        assert (found.count, found.rows) == (134, list(range(1, 301, 3)))
        assert "café" in found.examples[0]


@pytest.mark.parametrize("source", ["", "  "])
def test_an_empty_name_is_no_folder(source: str) -> None:
    with pytest.raises(InvalidInput, match="name is empty"):
        read(source)


@pytest.mark.parametrize(("num_rows", "said"), [(5000, "in 5,000 rows"), (5001, "in the first 5,000 rows")])
def test_reasons_say_whether_they_are_about_all_rows(tmp_path: Path, num_rows: int, said: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "".join(f"text {n},{n % 3}\n" for n in range(num_rows)))
    rows = read(str(path))
    assert said in rows.detected.reasons["label_column"]
    assert rows.texts[-1] == f"text {num_rows - 1}"
