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


def _lines_of(*more: str) -> str:
    good = "".join(f'"{text}",{label}\n' for text, label in PAIRS * 3)
    return "text,label\n" + good + "".join(f"{line}\n" for line in more)


def test_a_row_with_more_cells_is_no_row_unless_a_known_label_ends_it(tmp_path: Path) -> None:
    found = _read(tmp_path, _lines_of("a,b,c,d", "so good, so cheap, pos", "a,b,c,d", "x,y,2024-01-01,ok"), "rows.csv")
    assert set(found.labels) == {"pos", "neg"}
    assert (found.texts[-1], found.labels[-1]) == ("so good, so cheap", "pos")
    assert [number for number, _ in found.unreadable] == [19, 21, 22]
    assert "4 cells where 2 are expected, and its last one is no label of other rows" in found.unreadable[0][1]
    assert found.texts[0] == PAIRS[0][0], "quotes are no part of a text because other rows have too many cells"


def test_a_label_that_stands_first_is_known_too(tmp_path: Path) -> None:
    lines = "".join(f"{label}|{text}\n" for text, label in PAIRS * 3)
    found = _read(tmp_path, lines + "pos|warm | cheap | near\nspam|to | be | left\n")
    assert (found.texts[-1], found.labels[-1]) == ("warm | cheap | near", "pos")
    assert [number for number, _ in found.unreadable] == [20]


def test_rows_of_which_most_have_separators_in_the_text_still_invent_no_class(tmp_path: Path) -> None:
    long = "".join(f"{text.replace(' ', ', ', 2)},{label}\n" for text, label in PAIRS * 10)
    short = "".join(f"{text.replace(',', '')},{label}\n" for text, label in PAIRS * 4)
    found = _read(tmp_path, "text,label\n" + long + short + "a,b,c,d\n", "rows.csv")
    assert (found.num_rows, found.num_unreadable, set(found.labels)) == (85, 1, {"pos", "neg"})


@pytest.mark.parametrize("suffix", ["csv", "txt"])
def test_many_rows_that_are_none_invent_no_class_either(tmp_path: Path, suffix: str) -> None:
    good = "".join(f"{text.replace(',', '')},{label}\n" for text, label in PAIRS * 5)
    found = _read(tmp_path, "text,label\n" + good + "so, so,pos\n" * 4 + "a,b,c,d\n" * 6, f"rows.{suffix}")
    assert (found.num_rows, found.num_unreadable, set(found.labels)) == (40, 6, {"pos", "neg"})


@pytest.mark.parametrize("separator", ["@", "|", ";"])
def test_text_and_label_without_a_header_are_split_though_texts_have_the_mark(tmp_path: Path, separator: str) -> None:
    rows = [
        (f"mail {n} me {separator} home, {text} , a{separator}b .", label) for n, (text, label) in enumerate(PAIRS * 9)
    ]
    some = [(text if n % 3 else text.replace(separator, ""), label) for n, (text, label) in enumerate(rows)]
    found = _read(tmp_path, "".join(f"{text}{separator}{label}\n" for text, label in some))
    assert list(zip(found.texts, found.labels, strict=True)) == some


def test_an_at_sign_makes_no_columns_of_texts_that_all_have_as_many(tmp_path: Path) -> None:
    rows = [
        (f"mail {n} me @ home, {text.replace(',', '')} , a@b .", label) for n, (text, label) in enumerate(PAIRS * 9)
    ]
    found = _read(tmp_path, "".join(f"{text}@{label}\n" for text, label in rows))
    assert list(zip(found.texts, found.labels, strict=True)) == rows


@pytest.mark.parametrize("mark", ["sep=;", "\ufeffsep=;", '"sep=;"', "sep=;;"])
def test_a_first_line_that_names_the_separator_is_no_row(tmp_path: Path, mark: str) -> None:
    found = _read(
        tmp_path, f"{mark}\ntext;label\n" + "".join(f"{t.replace(';', '')};{n}\n" for t, n in PAIRS), "rows.csv"
    )
    assert (found.num_rows, found.detected.delimiter, found.detected.columns) == (6, ";", ["text", "label"])
    assert "'sep=;'" in found.detected.reasons["format"]


@pytest.mark.parametrize(
    "comments", ["# exported 2024\n", "# exported 2024, by hand\n#\n\n# (c) us\n", "#exported\r\n", "# a;b,c,d\n"]
)
def test_comments_before_the_rows_are_no_rows(tmp_path: Path, comments: str) -> None:
    with_header = _read(tmp_path, comments + _lines_of('"never closed,neg'), "rows.csv")
    assert (with_header.num_rows, with_header.detected.columns) == (19, ["text", "label"])
    assert "comment" in with_header.detected.reasons["format"]
    line = comments.count("\n") + 20
    assert f"line {line}" in with_header.unreadable[0][1]


@pytest.mark.parametrize("first", ["#so happy today", "# so happy", "#1 of all"])
def test_texts_that_begin_with_a_hash_are_rows(tmp_path: Path, first: str) -> None:
    rows = [(f"{text.replace(',', '')} {n}", label) for n, (text, label) in enumerate(PAIRS * 4)]
    found = _read(tmp_path, f"{first},pos\n" + "".join(f"{text},{label}\n" for text, label in rows), "rows.csv")
    assert (found.num_rows, found.texts[0]) == (25, first)
    tabs = _read(tmp_path, f"pos\t{first}\n" + "".join(f"{label}\t{text}\n" for text, label in rows))
    assert (tabs.num_rows, tabs.texts[0]) == (25, first)


def test_a_header_that_begins_with_a_hash_is_no_comment(tmp_path: Path) -> None:
    found = _read(tmp_path, "#text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in PAIRS * 3), "rows.tsv")
    assert found.detected.columns == ["#text", "label"]
