import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.data import hub
from app.data.readers import read
from app.domain.errors import DataUnreadable, InvalidInput


@pytest.fixture
def cached_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`acme/reviews` as the `datasets` package keeps it after a download, so that it loads without a network."""
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    rows = {"text": ["a good film", "a bad film", "no verdict"], "label": [1, 0, -1]}
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "rows.parquet")
    datasets.load_dataset("parquet", data_files=str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path / "built"))
    built = next((tmp_path / "built").rglob("*.arrow"))
    cache = tmp_path / "cache" / "acme___reviews" / "default" / "0.0.0" / "0123"
    cache.mkdir(parents=True)
    built.rename(cache / "reviews-train.arrow")
    info = json.loads((built.parent / "dataset_info.json").read_text()) | {"dataset_name": "reviews"}
    (cache / "dataset_info.json").write_text(json.dumps(info))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    yield
    datasets.enable_progress_bars()


def test_a_hub_data_set_is_read_with_the_names_of_its_labels(cached_data_set: None) -> None:
    found = read("hub:acme/reviews:train")
    assert found.detected.format == "hub"
    assert found.texts == ["a good film", "a bad film", "no verdict"]
    assert found.labels == ["pos", "neg", ""]
    assert len(found.sha256) == 64


def test_a_split_that_is_not_there_is_named(cached_data_set: None) -> None:
    with pytest.raises(DataUnreadable, match="tset"):
        read("hub:acme/reviews:tset")


def test_a_hub_that_cannot_be_reached_is_a_clear_error_with_a_way_out() -> None:
    with pytest.raises(DataUnreadable, match="cannot load hub:acme/nothing-like-it") as caught:
        read("hub:acme/nothing-like-it")
    assert "give a file" in caught.value.hint


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("hub:imdb", ("imdb", None, "train")),
        ("hub:acme/reviews", ("acme/reviews", None, "train")),
        ("hub:acme/reviews:test", ("acme/reviews", None, "test")),
        ("hub:nyu/glue/sst2:validation", ("nyu/glue", "sst2", "validation")),
    ],
)
def test_a_reference_has_a_data_set_a_configuration_and_a_split(source: str, parts: tuple[str, str, str]) -> None:
    assert hub.parse(source) == parts


@pytest.mark.parametrize("source", ["hub:", "hub:a/b/c/d", "hub:/name"])
def test_a_reference_without_a_name_is_refused(source: str) -> None:
    with pytest.raises(InvalidInput, match="names no hub data set"):
        hub.parse(source)
