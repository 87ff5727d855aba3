"""Embeddings from a real child process, against plain transformers."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from app.domain.errors import ModelUnusable
from app.services.embeddings import MAX_KEPT, embed

TEXTS = ["the film is dull", "a joy from first to last, and then some more words for length", "meh", "", "片子\n很好"]


def test_embeddings_are_the_mean_of_the_tokens_in_the_order_given(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    base = tiny_model("bert")
    heard: list[tuple[int, int]] = []
    found = embed(TEXTS, str(base), tmp_path, lambda done, total: heard.append((done, total)))

    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModel.from_pretrained(base).eval()
    for text, vector in zip(TEXTS, found, strict=True):
        with torch.inference_mode():
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state.mean(dim=1)[0].numpy()
        assert np.allclose(vector, mean / np.linalg.norm(mean), atol=0.02)  # bf16 where that is fast
    assert found.dtype == np.float32
    assert heard[-1] == (5, 5)


def test_the_packaged_encoder_puts_texts_of_one_meaning_side_by_side(tmp_path: Path) -> None:
    card, lost, pie = embed(
        ["my card has not arrived", "where is my new credit card?", "a recipe for apple pie"], "minilm", tmp_path
    )
    assert card @ lost > 0.5 > 0.2 > card @ pie


def test_what_was_computed_is_kept_and_old_files_go(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    base = str(tiny_model("distilbert"))
    heard: list[int] = []
    first = embed(TEXTS, base, tmp_path)
    assert (embed(TEXTS, base, tmp_path, lambda done, total: heard.append(done)) == first).all()
    assert heard == []
    for number in range(MAX_KEPT):
        embed([str(number)], base, tmp_path)
    assert len(list(tmp_path.glob("cache/embeddings-*"))) == MAX_KEPT


def test_a_damaged_encoder_is_one_clear_error_and_nothing_is_kept(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model("bert"), broken)
    (broken / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelUnusable, match="no usable tokenizer"):
        embed(TEXTS, str(broken), tmp_path / "results")
    assert list(tmp_path.glob("results/cache/embeddings-*")) == []
