import pytest

from app.data.languages import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("A plain English sentence, with 3 numbers.", "Latin script"),
        ("Ça c'était très bon", "Latin script"),
        ("這家店的服務很好", "Chinese"),
        ("iPhone 很好用，我很喜欢", "Chinese"),
        ("とても美味しかったです", "Japanese"),
        ("서비스가 정말 좋았어요", "Korean"),
        ("Очень хороший отель", "Cyrillic script"),
        ("الخدمة ممتازة", "Arabic script"),
        ("12345 !!! 😀", "Other"),
        ("", "Other"),
    ],
)
def test_the_script_of_most_letters_names_the_language(text: str, language: str) -> None:
    assert language_of(text) == language
