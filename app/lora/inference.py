"""Logits for token ids: the one way evaluation, prediction and serving run a model."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

MAX_BATCH_TOKENS = 16_384
"""A batch holds at most this many padded tokens, so that very long texts do not exhaust memory."""


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Row numbers in batches of like length, longest first, at most MAX_BATCH_TOKENS each after padding."""
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[list[int]] = []
    for row in order:
        current = batches[-1] if batches else None
        fits = current and len(current) < batch_size and lengths[current[0]] * (len(current) + 1) <= MAX_BATCH_TOKENS
        if current is not None and fits:
            current.append(row)
        else:
            batches.append([row])
    return batches


def predict_logits(
    model: nn.Module,
    input_ids: Sequence[Sequence[int]],
    *,
    pad_token_id: int,
    batch_size: int,
    precision: str = "fp32",
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Logits (rows, labels) as float32 in the order given; draws no random number and leaves the mode as it was.

    `progress` is called with the number of rows done after each batch.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    rows: dict[int, Tensor] = {}
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    autocast = torch.autocast(device.type, dtype=dtype) if dtype else nullcontext()
    try:
        with torch.inference_mode(), autocast:
            for batch in batches_by_length([len(ids) for ids in input_ids], batch_size):
                ids_BT, mask_BT = pad([input_ids[row] for row in batch], pad_token_id)
                logits_BC = model(input_ids=ids_BT.to(device), attention_mask=mask_BT.to(device)).logits
                rows.update(zip(batch, logits_BC.float().cpu(), strict=True))
                if progress is not None:
                    progress(len(rows))
    finally:
        model.train(was_training)
    return torch.stack([rows[row] for row in range(len(rows))]).numpy()


def pad(input_ids: Sequence[Sequence[int]], pad_token_id: int) -> tuple[Tensor, Tensor]:
    """Pad to the longest row; returns ids and attention mask, both int64 of shape (rows, longest)."""
    longest = max(len(ids) for ids in input_ids)
    ids_BT = torch.full((len(input_ids), longest), pad_token_id, dtype=torch.long)
    mask_BT = torch.zeros((len(input_ids), longest), dtype=torch.long)
    for row, ids in enumerate(input_ids):
        ids_BT[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
        mask_BT[row, : len(ids)] = 1
    return ids_BT, mask_BT
