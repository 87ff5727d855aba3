"""Finding base models, and refusing the ones that cannot or must not be loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.errors import ModelUnusable
from app.models.base_models import locate


def _copy(model: Path, to: Path) -> Path:
    shutil.copytree(model, to)
    return to


def test_minilm_comes_with_the_installation() -> None:
    located = locate("minilm")
    assert located.info.hub_id == "sentence-transformers/all-MiniLM-L6-v2"
    assert (located.directory / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("distilbert-base-uncase", "distilbert-base-uncased"),
        ("robrta-base", "roberta-base"),
        ("mini-lm", "minilm"),
        ("minilmm", "minilm"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(ModelUnusable) as caught:
        locate(typed)
    assert typed in caught.value.message
    assert meant in caught.value.hint


@pytest.mark.parametrize("name", ["bert-base-uncased", "xlm-roberta-base", "roberta-large"])
def test_other_names_are_asked_of_the_hub(name: str) -> None:
    with pytest.raises(ModelUnusable, match="could not be fetched from the hub"):
        locate(name)


def test_a_directory_that_does_not_exist_is_not_asked_of_the_hub() -> None:
    with pytest.raises(ModelUnusable, match="does not exist"):
        locate("./no/such/model")


def test_a_directory_without_weights_is_refused(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    directory = _copy(tiny_model("bert"), tmp_path / "model")
    (directory / "model.safetensors").unlink()
    with pytest.raises(ModelUnusable, match=r"no weights \(\*\.safetensors\)"):
        locate(str(directory))


def test_pickled_weights_are_refused(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    directory = _copy(tiny_model("bert"), tmp_path / "model")
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    with pytest.raises(ModelUnusable, match="only as pickle") as caught:
        locate(str(directory))
    assert "safetensors" in caught.value.hint


def test_a_model_with_code_of_its_own_is_refused(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    directory = _copy(tiny_model("bert"), tmp_path / "model")
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    config["auto_map"] = {"AutoModel": "modeling_own.OwnModel"}
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (directory / "modeling_own.py").write_text("raise SystemExit('must never run')", encoding="utf-8")
    with pytest.raises(ModelUnusable, match="code of its own"):
        locate(str(directory))


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_damaged_weights_are_refused_before_they_are_loaded(
    keep: int, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    directory = _copy(tiny_model("bert"), tmp_path / "model")
    weights = directory / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ModelUnusable, match="damaged or incomplete"):
        locate(str(directory))


def test_a_directory_without_a_tokenizer_is_refused(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    directory = _copy(tiny_model("bert"), tmp_path / "model")
    (directory / "tokenizer.json").unlink()
    with pytest.raises(ModelUnusable, match="has no tokenizer"):
        locate(str(directory))


def test_a_directory_without_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"no config\.json"):
        locate(str(tmp_path))


def test_a_hub_model_that_cannot_be_fetched_says_what_else_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnusable) as caught:
        locate("somebody/some-model")
    assert "somebody/some-model" in caught.value.message
    assert "minilm" in caught.value.hint
