from pathlib import Path

import pytest

from app.data.readers import Rows, read


def _read(tmp_path: Path, content: str, name: str = "rows.txt", **options: str) -> Rows:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", newline="")
    return read(str(path), **options)


PAIRS = [
    ("the food was cold and late", "neg"),
    ("a lovely evening with friends", "pos"),
    ("never again, not even for free", "neg"),
    ("warm bread, good soup; all fine", "pos"),
    ("the waiter forgot us twice", "neg"),
    ("we will come back next week", "pos"),
]


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "@"])
@pytest.mark.parametrize("label_first", [True, False])
def test_one_separator_is_found_though_texts_contain_others(tmp_path: Path, separator: str, label_first: bool) -> None:
    rows = [(label, text) if label_first else (text, label) for text, label in PAIRS]
    found = _read(tmp_path, "".join(separator.join(row) + "\n" for row in rows))
    assert found.detected.delimiter == separator
    assert list(zip(found.texts, found.labels, strict=True)) == PAIRS
    assert found.num_unreadable == 0


def test_label_space_text_lines_are_split_at_the_first_space(tmp_path: Path) -> None:
    found = _read(tmp_path, "".join(f"GROUP:{label} {text}\n" for text, label in PAIRS))
    assert found.detected.delimiter == " "
    assert found.detected.format == "text"
    assert found.labels[:2] == ["GROUP:neg", "GROUP:pos"]
    assert found.texts[0] == PAIRS[0][0]


def test_first_words_of_sentences_are_not_taken_for_labels(tmp_path: Path) -> None:
    found = _read(tmp_path, "".join(f"{text}\n" for text, _ in PAIRS))
    assert found.detected.label_column is None
    assert found.texts == [text for text, _ in PAIRS]


def test_standard_quotes_enclose_separators_and_line_ends(tmp_path: Path) -> None:
    content = 'text,label\n"cold, late\nand ""grey""",neg\nlovely,pos\n"so, so",neg\nfine,pos\n'
    found = _read(tmp_path, content, "rows.csv")
    assert found.texts == ['cold, late\nand "grey"', "lovely", "so, so", "fine"]
    assert found.num_rows == 4


def test_quotes_are_text_where_csv_quoting_would_swallow_rows(tmp_path: Path) -> None:
    lines = [
        '"Lonely Planet" is wrong\t0\n',
        '"so they said\t1\n',
        "plain and simple\t1\n",
        'a "very" fine day\t0\n',
    ] * 5
    found = _read(tmp_path, "".join(lines), "rows.tsv")
    assert found.num_rows == 20
    assert found.texts[:2] == ['"Lonely Planet" is wrong', '"so they said']
    assert "quotes are part of the text" in found.detected.reasons["delimiter"]
    assert "if quotes enclose cells" in found.detected.reasons["delimiter"]


def test_an_unquoted_comma_in_the_text_does_not_lose_the_row_when_the_label_stands_last(tmp_path: Path) -> None:
    found = _read(tmp_path, "text,label\n" + "".join(f"{text},{label}\n" for text, label in PAIRS * 2), "rows.csv")
    assert list(zip(found.texts, found.labels, strict=True)) == PAIRS * 2
    assert "last separator" in found.detected.reasons["delimiter"]


def test_an_open_quote_is_one_unreadable_row_that_names_its_lines(tmp_path: Path) -> None:
    good = "".join(f'"{text}",{label},x\n' for text, label in PAIRS * 3)
    found = _read(tmp_path, "text,label,source\n" + good + '"never closed,neg,x\n', "rows.csv")
    assert found.num_unreadable == 1
    number, reason = found.unreadable[0]
    assert number == 19
    assert "line 20" in reason


def test_a_row_with_too_many_cells_is_unreadable_and_one_with_too_few_is_incomplete(tmp_path: Path) -> None:
    good = "".join(f"a,{text.replace(',', '')},{label}\n" for text, label in PAIRS * 3)
    found = _read(tmp_path, "id,text,label\n" + good + "a,one,two,neg\n" + "a,no label here\n", "rows.csv")
    assert found.unreadable[0][0] == 19
    assert "4 cells where 3 are expected" in found.unreadable[0][1]
    assert (found.numbers[-1], found.texts[-1], found.labels[-1]) == (20, "no label here", "")


@pytest.mark.parametrize(
    ("header", "expected"),
    [("text;label", True), ("kommentar;bewertung", True), ("the soup was too salty for us;neg", False)],
)
def test_the_header_is_told_from_the_rows(tmp_path: Path, header: str, expected: bool) -> None:
    found = _read(tmp_path, header + "\n" + "".join(f"{text};{label}\n" for text, label in PAIRS * 3))
    assert found.detected.header is expected
    assert found.num_rows == 18 + (not expected)
    assert found.detected.columns == (header.split(";") if expected else ["1", "2"])


def test_a_given_column_name_makes_its_row_the_header(tmp_path: Path) -> None:
    found = _read(tmp_path, "meinung;urteil\n" + "".join(f"{t};{n}\n" for t, n in PAIRS), label_column="urteil")
    assert found.detected.header is True
    assert found.num_rows == 6


def test_a_rare_label_in_the_first_line_does_not_make_it_a_header(tmp_path: Path) -> None:
    lines = ["rare the first of all the questions asked\n", *(f"{label} {text}\n" for text, label in PAIRS * 10)]
    found = _read(tmp_path, "".join(lines))
    assert found.detected.header is False
    assert found.num_rows == 61


def test_unnamed_and_repeated_header_cells_get_names_of_their_own(tmp_path: Path) -> None:
    rows = "".join(f"{i},{text.replace(',', '')},{label},x\n" for i, (text, label) in enumerate(PAIRS * 2))
    found = _read(tmp_path, ",text,label,label\n" + rows, "rows.csv", label_column="label")
    assert found.detected.columns == ["column 1", "text", "label", "label (4)"]
    assert found.labels[:2] == ["neg", "pos"]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    found = _read(tmp_path, "text,label\n\n" + "\n\n".join(f'"{t}",{n}' for t, n in PAIRS) + "\n\n\n", "rows.csv")
    assert list(found.numbers) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("separator", [*",;|@~^:#/&!=+_<>*%$", "\x01", "\x1f", "｜", "、"])
@pytest.mark.parametrize("label_first", [True, False])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt"])
def test_any_one_character_separates_by_evidence_though_texts_contain_it(
    assets: Path, tmp_path: Path, separator: str, label_first: bool, suffix: str
) -> None:
    lines = (assets / "data" / "sst2" / "dev.tsv").read_text(encoding="utf-8").splitlines()[:300]
    rows = [tuple(line.split("\t")) for line in lines]
    rows = [(text.replace(" ", f" {separator} ", n % 3), label) for n, (text, label) in enumerate(rows)]
    written = [(label, text) if label_first else (text, label) for text, label in rows]
    found = _read(tmp_path, "".join(separator.join(row) + "\n" for row in written), f"rows.{suffix}")
    assert found.detected.delimiter == separator
    assert list(zip(found.texts, found.labels, strict=True)) == rows


def test_a_label_after_the_last_space_is_found_where_it_is_no_end_of_a_sentence(tmp_path: Path) -> None:
    found = _read(tmp_path, "".join(f"{text} {label}\n" for text, label in PAIRS * 5))
    assert list(zip(found.texts, found.labels, strict=True)) == PAIRS * 5


def test_commas_in_a_csv_file_whose_labels_stand_before_a_bar_are_text(tmp_path: Path) -> None:
    lines = ["c1|text, with, commas", "c2|other, of these, two", "c1|again, here, it is", "c2|no, not, this"]
    found = _read(tmp_path, "\n".join(lines), "rows.csv")
    assert found.texts == [line[3:] for line in lines]
    assert found.labels == ["c1", "c2", "c1", "c2"]


def test_a_header_of_two_names_means_two_columns_though_each_text_has_a_comma(tmp_path: Path) -> None:
    rows = [(f"{text.replace(',', '').replace(';', '')}, really", label) for text, label in PAIRS]
    found = _read(tmp_path, "text,label\n" + "".join(",".join(row) + "\n" for row in rows), "rows.csv")
    assert list(zip(found.texts, found.labels, strict=True)) == rows


def test_the_first_rows_are_shown_as_they_were_read_with_personal_data_masked(tmp_path: Path) -> None:
    rows = [("write to ann@example.org " + "now " * 100, "pos"), *PAIRS]
    found = _read(tmp_path, "".join(f"{label}\t{text}\n" for text, label in rows))
    first, second, third = found.detected.preview
    assert "ann@example.org" not in first.text
    assert len(first.text) <= 100
    assert (second.row, second.text, second.label) == (2, *PAIRS[0])
    assert third.row == 3
