"""Rows to a DataProfile. Nothing is judged here: findings are in validation."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.data.languages import language_of
from app.data.readability import load_tokenizer
from app.domain.data_profile import PERCENTILES, ClassProfile, DataProfile, LengthSummary
from app.domain.errors import InvalidInput

MAX_TOKEN_ROWS = 50_000
BATCH_ROWS = 1_000
NOT_COUNTED = -1


def profile_rows(texts: Sequence[str], labels: Sequence[str], tokenizer_file: Path | None = None) -> DataProfile:
    """Profile texts with their labels, given in the same order.

    Tokens, special ones included, are counted with `tokenizer_file` (a `tokenizer.json`) on at most 50,000 rows, evenly
    spread over the file. Raises InvalidInput without rows.
    """
    if not texts:
        raise InvalidInput("there are no usable rows to profile", hint="finetune data validate FILE says why")
    characters = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    tokens = None if tokenizer_file is None else _count_tokens(texts, tokenizer_file)
    names = np.asarray(labels, dtype=object)
    classes = []
    for label, rows in Counter(labels).most_common():
        mine = names == label
        classes.append(
            ClassProfile(
                label=label,
                rows=rows,
                share=rows / len(texts),
                characters=_summary(characters[mine]),
                tokens=_token_summary(tokens, mine),
            )
        )
    return DataProfile(
        rows=len(texts),
        classes=classes,
        characters=_summary(characters),
        tokens=_token_summary(tokens, np.ones(len(texts), dtype=bool)),
        token_rows=0 if tokens is None else int((tokens != NOT_COUNTED).sum()),
        scripts=dict(Counter(map(language_of, texts)).most_common()),
        duplicate_share=1 - len({_digest(text) for text in texts}) / len(texts),
    )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _count_tokens(texts: Sequence[str], tokenizer_file: Path) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    tokenizer = load_tokenizer(tokenizer_file)
    counts = np.full(len(texts), NOT_COUNTED, dtype=np.int64)
    picked = np.unique(np.linspace(0, len(texts) - 1, min(len(texts), MAX_TOKEN_ROWS)).astype(np.int64))
    for start in range(0, len(picked), BATCH_ROWS):
        rows = picked[start : start + BATCH_ROWS]
        counts[rows] = [len(found.ids) for found in tokenizer.encode_batch([texts[row] for row in rows])]
    return counts


def _token_summary(
    tokens: np.ndarray[tuple[int], np.dtype[np.int64]] | None, mine: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> LengthSummary | None:
    if tokens is None:
        return None
    counted = tokens[mine & (tokens != NOT_COUNTED)]
    return _summary(counted) if len(counted) else None


def _summary(lengths: np.ndarray[tuple[int], np.dtype[np.int64]]) -> LengthSummary:
    values = np.percentile(lengths, PERCENTILES)
    return LengthSummary(
        percentiles={rank: float(value) for rank, value in zip(PERCENTILES, values, strict=True)},
        max=int(lengths.max()),
    )
