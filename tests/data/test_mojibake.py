"""UTF-8 read as Windows-1252 is repaired; what is right stays."""

import pytest

from app.data.mojibake import repair


@pytest.mark.parametrize(
    "text", ["the waiter’s café", "naïve – “quoted” …", "好吃的豬排", "Ελληνικά", "Привет", "ok 👍"]
)
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_a_garbled_text_is_repaired(text: str, encoding: str) -> None:
    garbled = "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode("utf-8"))
    assert garbled != text
    assert repair(garbled) == text


@pytest.mark.parametrize(
    "text", ["plain", "café “naïve” – déjà vu…", "Spaß» und Größe", "É o fim», disse", "Ärger Ö Ü", "好吃 €5", "½ Â"]
)
def test_a_sound_text_stays(text: str) -> None:
    assert repair(text) == text
