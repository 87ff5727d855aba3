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
        ("很好吃 https://www.example.com/reviews/2024/very/long/path?id=1234&from=app", "Chinese"),
        ("看这里https://www.example.com/reviews/a/very/long/path很好吃", "Chinese"),
        ("请写信到 customer.service.department@example.com.cn", "Chinese"),
        ("@somebody_with_a_long_name 好看", "Chinese"),
        ("大家看 shop.long-name-of-a-page.com/products", "Chinese"),
        ("<p class='review-text-content'>很好吃</p>", "Chinese"),
        ("Ça va http://example.org/好", "Latin script"),
        ("→ https://example.org/page", "Latin script"),
        ("12345 !!! 😀", "Other"),
        ("", "Other"),
    ],
)
def test_the_script_of_most_letters_names_the_language(text: str, language: str) -> None:
    assert language_of(text) == language
