"""Profiles of real files and of hostile texts."""

from pathlib import Path

import pytest

from app.data.analysis import profile_rows
from app.data.prepare import check
from app.data.readability import BaseTokenizer
from app.domain.data_profile import DataProfile
from app.domain.errors import InvalidInput
from app.domain.train_config import DataConfig


def test_banking77_has_its_77_classes_with_35_to_187_rows(assets: Path) -> None:
    checked = check(DataConfig(train=str(assets / "data" / "banking77" / "train.csv")))["train"]
    profile = profile_rows(checked.texts, checked.labels)
    assert len(profile.classes) == 77
    assert (profile.classes[0].rows, profile.classes[-1].rows) == (187, 35)
    assert sum(found.rows for found in profile.classes) == profile.rows == len(checked.texts)


def test_hostile_texts_are_measured_as_they_are() -> None:
    texts = ["<script>alert(1)</script>", "\u202eשלום", "🙂\x00", "x" * 1_000_000, "🙂\x00"]
    profile = profile_rows(texts, ["a", "a", "b", "b", "b"])
    assert profile.characters.max == 1_000_000
    assert profile.duplicate_share == pytest.approx(0.2)
    assert profile.scripts == {"Latin script": 2, "Other": 2, "Hebrew script": 1}
    assert DataProfile.model_validate_json(profile.model_dump_json()) == profile


def test_no_rows_are_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidInput, match="no usable rows"):
        profile_rows([], [])


def test_tokens_are_counted_in_full_by_the_tokenizer_given(assets: Path) -> None:
    file = assets / "models" / "tokenizers" / "bert-base-uncased" / "tokenizer.json"
    profile = profile_rows(["one", "word " * 5000], ["a", "b"], BaseTokenizer("bert-base-uncased", file))
    assert profile.token_rows == 2
    assert profile.tokens is not None
    assert profile.tokens.max >= 5000
    assert profile.classes[0].tokens is not None
    assert profile.classes[0].tokens.max < 10
