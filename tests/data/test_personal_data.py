"""Personal data is told from other numbers, and shown masked."""

import pytest

from app.data.personal_data import find, mask


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to ann.lee+x@mail.example.com now", "e-mail address"),
        ("card 4111 1111 1111 1111 was charged", "payment card"),
        ("card 5500-0055-5555-5559", "payment card"),
        ("身分證 A123456789 已登記", "national id"),
        ("身份证 11010519491231002X", "national id"),
        ("SSN 078-05-1120", "national id"),
        ("請打 0912-345-678 找我", "telephone number"),
        ("市話 (02) 2345-6789", "telephone number"),
        ("call +886 2 2345 6789", "telephone number"),
        ("call (415) 555-0132 or come by", "telephone number"),
        ("打 13812345678", "telephone number"),
        ("酒店电话 0311-86911999", "telephone number"),
    ],
)
def test_what_it_is_is_said(text: str, kind: str) -> None:
    assert [datum.kind for datum in find(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "it cost 4111 1111 1111 1112 points",
        "0000 0000 0000 0000",
        "A123456788",
        "110105194912310021",
        "in 2019-2020 we sold 1,234,567 units at 3.14159265358979",
        "version 1.2.3.4 of 2024-01-02 at 12:30:45",
        "me@home",
        "@someone said 50% off",
        "room 078-05-112",
        "ISBN 978-3-16-148410-0",
    ],
)
def test_other_numbers_are_none(text: str) -> None:
    assert find(text) == []


def test_a_mask_leaves_first_and_last_character() -> None:
    assert mask("mail a.b@example.com, card 4111111111111111.") == "mail a*************m, card 4**************1."
    assert mask("nothing here") == "nothing here"
