import pytest

from app.data.columns import choose_columns, choose_text_column
from app.domain.errors import AmbiguousColumns, InvalidInput

TEXTS = [f"sentence number {i} about the {w} of the house" for i, w in enumerate(["roof", "door", "wall", "floor"] * 6)]
LABELS = ["good", "bad", "good", "bad"] * 6
IDS = [f"x{i}" for i in range(24)]


def _rows(*columns: list[str]) -> list[list[str]]:
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("text", "label"),
        ("Review", "Category"),
        ("review_text", "sentiment_class"),
        ("文本", "標籤"),
        ("內容", "類別"),
        ("評論", "標記"),
        ("text_a", "label_name"),
    ],
)
def test_columns_are_known_by_their_names(text: str, label: str) -> None:
    choice = choose_columns(["id", label, text], _rows(IDS, LABELS, TEXTS))
    assert (choice.text, choice.label) == (text, label)
    assert "named" in choice.reasons["text_column"]
    assert "2 different values in 24 rows" in choice.reasons["label_column"]


def test_columns_with_unknown_names_are_known_by_what_is_in_them() -> None:
    choice = choose_columns(["v0", "v1", "v2"], _rows(IDS, LABELS, TEXTS))
    assert (choice.text, choice.label) == ("v2", "v1")
    assert "few, recurring values" in choice.reasons["label_column"]
    assert "long, varied text" in choice.reasons["text_column"]


def test_a_label_name_is_preferred_to_its_number() -> None:
    numbers = [str(LABELS.index(label)) for label in LABELS]
    choice = choose_columns(["text", "label", "label_text"], _rows(TEXTS, numbers, LABELS))
    assert choice.label == "label_text"


def test_two_possible_labels_are_answered_with_both_names() -> None:
    other = ["a", "a", "b", "c"] * 6
    with pytest.raises(AmbiguousColumns) as caught:
        choose_columns(["text", "rating", "sentiment"], _rows(TEXTS, other, LABELS))
    assert caught.value.code == "data.ambiguous_columns"
    assert caught.value.role == "label"
    assert caught.value.choices == ["rating", "sentiment"]
    assert "--label-column" in caught.value.hint


def test_a_column_of_one_value_is_no_rival_to_a_column_of_labels() -> None:
    choice = choose_columns(["v0", "v1", "v2"], _rows(["web"] * 24, LABELS, TEXTS))
    assert choice.label == "v1"


def test_by_far_the_longest_text_is_the_text() -> None:
    titles = [text[:25] for text in TEXTS]
    bodies = [text * 4 for text in TEXTS]
    choice = choose_columns(["heading", "article", "kind"], _rows(titles, bodies, LABELS))
    assert choice.text == "article"


def test_two_texts_alike_are_ambiguous() -> None:
    with pytest.raises(AmbiguousColumns) as caught:
        choose_columns(["premise", "hypothesis", "label"], _rows(TEXTS, TEXTS[::-1], LABELS))
    assert caught.value.role == "text"


def test_given_columns_are_taken_as_they_are() -> None:
    choice = choose_columns(["text", "rating", "sentiment"], _rows(TEXTS, LABELS, LABELS), label_column="rating")
    assert (choice.text, choice.label) == ("text", "rating")
    assert "label_column" not in choice.reasons


def test_a_given_column_that_is_not_there_is_none() -> None:
    assert choose_columns(["text", "label"], _rows(TEXTS, LABELS), label_column="Label2").label is None


def test_one_column_cannot_be_both() -> None:
    with pytest.raises(InvalidInput, match="both column 'text'"):
        choose_columns(["text"], _rows(TEXTS), text_column="text", label_column="text")


def test_a_text_column_needs_no_label_beside_it() -> None:
    other = ["a", "a", "b", "c"] * 6
    assert choose_text_column(["text", "category", "rating"], _rows(TEXTS, other, LABELS)).text == "text"
    assert choose_text_column(["x"], _rows(LABELS)).text == "x"
    assert choose_text_column(["x", "label"], _rows(IDS, LABELS)).text == "x"


def test_two_possible_texts_are_answered_with_both_names() -> None:
    with pytest.raises(AmbiguousColumns) as caught:
        choose_text_column(["premise", "hypothesis"], _rows(TEXTS, TEXTS[::-1]))
    assert (caught.value.role, caught.value.choices) == ("text", ["premise", "hypothesis"])


def test_reasons_that_count_a_sample_say_so() -> None:
    rows = _rows(IDS, LABELS, TEXTS)
    sampled = choose_columns(["v0", "v1", "v2"], rows, has_all=False).reasons
    assert "(2 different values in the first 24 rows)" in sampled["label_column"]
    assert "(24 different values in the first 24 rows)" in sampled["text_column"]
    whole = choose_columns(["v0", "v1", "v2"], rows).reasons
    assert "(2 different values in 24 rows)" in whole["label_column"]
