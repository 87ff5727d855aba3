"""Which language texts are in, in findings and in profiles."""

from pathlib import Path

from app.data.analysis import profile_rows
from app.data.findings import Rules
from app.data.language_names import count_languages
from app.data.readability import BaseTokenizer
from app.data.readers import read
from app.data.validation import validate, with_base_model

GERMAN = [
    f"Das Essen war {mood} und die Bedienung hat uns am {day} sehr {mood} empfangen, sagte der Gast Nummer {n}."
    for n, (mood, day) in enumerate([("gut", "Montag"), ("schlecht", "Dienstag")] * 30)
]
ENGLISH = [
    f"The food was {mood} and the waiter who met us on {day} was just as {mood}, said guest number {n}."
    for n, (mood, day) in enumerate([("good", "Monday"), ("bad", "Tuesday")] * 30)
]
LABELS = ["a", "b"] * 30


def test_languages_of_one_script_are_told_apart_and_rare_guesses_are_counted_together() -> None:
    found = count_languages([*GERMAN, *ENGLISH, "餐點很好吃，服務也很親切，下次還會再來", "12345 !!!"])
    assert list(found)[:2] == ["German", "English"] or list(found)[:2] == ["English", "German"]
    assert found["German"] == found["English"] == 60
    assert found["other"] == 2


def test_a_profile_counts_languages_and_says_how_the_tokenizer_reads_each_script(assets: Path) -> None:
    tokenizer = BaseTokenizer(
        "bert-base-uncased", assets / "models" / "tokenizers" / "bert-base-uncased" / "tokenizer.json"
    )
    found = profile_rows([*ENGLISH, *GERMAN[:20]], [*LABELS, *LABELS[:20]], tokenizer)
    assert (found.languages["English"], found.languages["German"], found.language_rows) == (60, 20, 80)
    (reading,) = found.readings
    assert (reading.script, reading.rows, reading.unknown_share) == ("Latin script", 80, 0.0)
    assert 0.15 < reading.tokens_per_letter < 0.6


def test_texts_in_another_language_than_the_base_model_are_a_warning_that_names_one_that_reads_them(
    assets: Path, tmp_path: Path
) -> None:
    tokenizer = BaseTokenizer("minilm", assets / "models" / "tokenizers" / "bert-base-uncased" / "tokenizer.json")
    for texts, mismatched in ((GERMAN, True), (ENGLISH, False)):
        path = tmp_path / "rows.csv"
        lines = [f'"{text}",{label}' for text, label in zip(texts, LABELS, strict=True)]
        path.write_text("\n".join(["text,label", *lines, ""]), encoding="utf-8")
        rows = read(str(path))
        report = with_base_model(validate(rows, Rules()).report, rows, Rules(), tokenizer)
        found = [one for one in report.findings if one.code == "language_mismatch"]
        assert bool(found) is mismatched
        if mismatched:
            assert found[0].severity == "warning"
            assert "German" in found[0].message
            assert "multilingual" in found[0].fix
            assert len(found[0].rows) == 60
