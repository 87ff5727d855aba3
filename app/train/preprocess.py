"""Examples -> tokens -> batches, in an order that depends on nothing but seed and epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from app.data.prepare import Examples
from app.domain.plan import TokenFacts
from app.lora.inference import pad
from app.lora.tokenization import Encoded

LENGTH_JITTER = 0.15
"""Lengths are blurred by this share before sorting, so that batches differ from epoch to epoch."""


@dataclass(frozen=True)
class TokenizedSplit:
    """Examples with their tokens, row by row."""

    examples: Examples
    encoded: Encoded


def token_facts(encoded: Encoded) -> TokenFacts:
    """Length statistics of the texts before cutting, in tokens."""
    lengths = np.asarray(encoded.full_lengths)
    p50, p99 = np.percentile(lengths, [50, 99], method="higher")
    return TokenFacts(mean=round(float(lengths.mean()), 2), p50=int(p50), p99=int(p99), longest=int(lengths.max()))


class TokenDataset(Dataset[dict[str, Any]]):
    """Token ids and label id of each row."""

    def __init__(self, split: TokenizedSplit) -> None:
        self._input_ids = split.encoded.input_ids
        self._labels = split.examples.label_ids

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self._input_ids[index], "labels": self._labels[index]}

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row, after cutting."""
        return [len(ids) for ids in self._input_ids]


@dataclass(frozen=True)
class Collator:
    """Rows of a TokenDataset -> the tensors a model takes."""

    pad_token_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        """Pad `rows` to their longest; labels have shape (rows,)."""
        ids_BT, mask_BT = pad([row["input_ids"] for row in rows], self.pad_token_id)
        labels_B = torch.tensor([row["labels"] for row in rows], dtype=torch.long)
        return {"input_ids": ids_BT, "attention_mask": mask_BT, "labels": labels_B}


class EpochSampler(Sampler[int]):
    """Row numbers in random order, with rows of like length beside each other when `bucket` is set.

    The order is drawn from (seed, epoch) alone, so a run resumed in mid-epoch sees the very same batches.
    `set_epoch` must be called before each pass.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, *, bucket: bool) -> None:
        self._lengths = np.asarray(lengths, dtype=np.float64)
        self._batch_size = batch_size
        self._seed = seed
        self._bucket = bucket
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of pass number `epoch`, counted from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([self._seed, self._epoch])
        order = generator.permutation(len(self._lengths))
        if not self._bucket:
            return iter(order.tolist())
        blur = generator.uniform(1 - LENGTH_JITTER, 1 + LENGTH_JITTER, len(order))
        order = order[np.argsort(self._lengths[order] * blur, kind="stable")]
        return iter(self._shuffle_batches(order, generator).tolist())

    def _shuffle_batches(self, order: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Shuffle whole batches; the incomplete one stays last, where a batch sampler expects it."""
        whole = len(order) // self._batch_size * self._batch_size
        batches = order[:whole].reshape(-1, self._batch_size)
        return np.concatenate([generator.permutation(batches).reshape(-1), order[whole:]])
