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
        ("请打13812345678找我", "telephone number"),
        ("tel 0171 1234567", "telephone number"),
        ("Tel.: 030 1234567", "telephone number"),
        ("Telefon 089/1234567 ab 9 Uhr", "telephone number"),
        ("Handy 0171-1234567", "telephone number"),
        ("appelez le 06 12 34 56 78 demain", "telephone number"),
        ("au 01.23.45.67.89", "telephone number"),
        ("tél : 0612345678", "telephone number"),
        ("080-1234-5678", "telephone number"),
        ("携帯は080-1234-5678です", "telephone number"),
        ("전화 010-1234-5678", "telephone number"),
        ("ring 07700 900123 after six", "telephone number"),
        ("call 020 7946 0958", "telephone number"),
        ("phone: 555-0132", "telephone number"),
        ("WhatsApp +34 600 123 456", "telephone number"),
        ("my number is AB123456C", "national id"),
        ("NI AB 12 34 56 C.", "national id"),
        ("Ünal.çelik@x.de", "e-mail address"),
        ("an jürgen@bücher.example.de", "e-mail address"),
        ("почта иван@пример.рф", "e-mail address"),
        ("我的信箱是ann@example.com謝謝", "e-mail address"),
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
        "my phone 6 was from 2014 and 2015",
        "the telephone rang 3 times in 2019",
        "mobile 4 us, 12 34 56",
        "from 01.02.2024 to 03.04.2024",
        "GB123456C, ZZ123456A and AB123456X",
        "order AB1234567C",
        "0.5 of 06 12 34",
        "look @home, a@b and me@localhost",
        "1/2 or 089/12",
    ],
)
def test_other_numbers_are_none(text: str) -> None:
    assert find(text) == []


def test_a_mask_leaves_first_and_last_character() -> None:
    assert mask("mail a.b@example.com, card 4111111111111111.") == "mail a*************m, card 4**************1."
    assert mask("an Ünal.çelik@x.de, bitte") == "an Ü*************e, bitte"
    assert mask("tel: (030) 1234567!") == "tel: (***********7!"
    assert mask("nothing here") == "nothing here"
