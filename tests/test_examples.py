"""The example data keeps its promises: sizes, no near-duplicates, neither trivial nor hopeless, mistakes found."""

import csv
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline


def _rows(repository: Path, name: str) -> tuple[list[str], list[str]]:
    with (repository / "examples" / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def _grams(text: str, *, by_character: bool) -> set[tuple[str, ...]]:
    parts = list(text) if by_character else text.lower().split()
    return set(zip(parts, parts[1:], parts[2:], strict=False))


def test_english_reviews_are_neither_trivial_nor_hopeless(repository: Path) -> None:
    train, test = _rows(repository, "reviews_train.csv"), _rows(repository, "reviews_test.csv")
    assert (len(train[0]), len(test[0])) == (300, 100)
    baseline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000))
    assert 0.70 <= baseline.fit(*train).score(*test) <= 0.95


def test_chinese_reviews_are_neither_trivial_nor_hopeless(repository: Path) -> None:
    texts, labels = _rows(repository, "reviews_zh_tw.csv")
    assert len(texts) == 150
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 3))
    scores = cross_val_score(make_pipeline(vectors, LogisticRegression(max_iter=1000)), texts, labels, cv=5)
    assert 0.70 <= scores.mean() <= 0.95


@pytest.mark.parametrize(
    ("names", "by_character"), [(("reviews_train.csv", "reviews_test.csv"), False), (("reviews_zh_tw.csv",), True)]
)
def test_no_two_reviews_are_nearly_the_same(names: tuple[str, ...], by_character: bool, repository: Path) -> None:
    texts = [text for name in names for text in _rows(repository, name)[0]]
    grams = [_grams(text, by_character=by_character) for text in texts]
    closest = max(len(a & b) / len(a | b) for i, a in enumerate(grams) for b in grams[:i] if a | b)
    assert closest < 0.4


@pytest.mark.parametrize("name", ["reviews_train.csv", "reviews_test.csv", "reviews_zh_tw.csv"])
def test_our_own_check_finds_nothing_in_the_reviews(name: str, repository: Path) -> None:
    from app.data.prepare import check
    from app.domain.train_config import DataConfig

    data = DataConfig(train=str(repository / "examples" / "reviews_train.csv"))
    if name == "reviews_test.csv":
        data = data.model_copy(update={"test": str(repository / "examples" / name)})
    elif name != "reviews_train.csv":
        data = DataConfig(train=str(repository / "examples" / name))
    assert [finding.code for checked in check(data).values() for finding in checked.report.findings] == []


def test_the_planted_mistakes_that_this_version_looks_for_are_found(repository: Path) -> None:
    from app.data.prepare import check
    from app.domain.train_config import DataConfig

    report = check(DataConfig(train=str(repository / "examples" / "reviews_with_mistakes.csv")))["train"].report
    found: dict[str, list[int]] = {}
    for finding in report.findings:
        found.setdefault(finding.code, []).extend(finding.rows)
    assert found["empty_text"] == [4, 38]
    assert found["missing_label"] == [15]
    assert set(found["label_variant"]) >= {7, 29}
    assert set(found["duplicate"]) >= {25, 37}
    assert set(found["conflicting_label"]) >= {14, 32}
    assert sorted(found["encoding_damage"]) == [18, 20, 33]
    assert found["near_duplicate"] == [30]
    assert found["length_outlier"] == [23]
    assert found["language_mismatch"] == [26]
    assert found["personal_data"] == [35]
    assert not report.ok
