"""Texts -> token ids: one way of cutting and counting for training, evaluation, prediction and serving."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from app.domain.errors import ModelUnusable

_CHUNK = 2048


@dataclass(frozen=True)
class Encoded:
    """Token ids per text, special tokens included, cut to `max_length`.

    `full_lengths` are the lengths before cutting, so that what was lost can be counted.
    """

    input_ids: list[list[int]]
    full_lengths: list[int]

    @property
    def num_truncated(self) -> int:
        """How many texts lost tokens."""
        return sum(len(ids) < full for ids, full in zip(self.input_ids, self.full_lengths, strict=True))


def load_tokenizer(directory: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a base model or of a saved adapter; ModelUnusable when the directory has none."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False, use_fast=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnusable(
            f"{directory} has no usable tokenizer: {str(error).splitlines()[0]}",
            hint="the directory needs tokenizer.json, or the vocabulary files of its architecture",
        ) from error
    if tokenizer.pad_token_id is None:
        raise ModelUnusable(f"the tokenizer in {directory} has no padding token", hint="choose an encoder model")
    return tokenizer


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int | None) -> Encoded:
    """Tokenize `texts`; those longer than `max_length` tokens are cut at the end, None cuts nothing."""
    input_ids: list[list[int]] = []
    for start in range(0, len(texts), _CHUNK):
        chunk = list(texts[start : start + _CHUNK])
        input_ids.extend(tokenizer(chunk, add_special_tokens=True, truncation=False, verbose=False)["input_ids"])
    return cut(tokenizer, texts, Encoded(input_ids, [len(ids) for ids in input_ids]), max_length)


def cut(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], encoded: Encoded, max_length: int | None) -> Encoded:
    """Cut what is longer than `max_length`, keeping the special tokens where the tokenizer puts them."""
    if max_length is None:
        return encoded
    input_ids = list(encoded.input_ids)
    for index, ids in enumerate(input_ids):
        if len(ids) > max_length:
            input_ids[index] = tokenizer(texts[index], truncation=True, max_length=max_length)["input_ids"]
    return Encoded(input_ids, encoded.full_lengths)
