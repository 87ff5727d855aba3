"""One pass over all rows: the 21 bytes a profile keeps of each of them, and the words and tokens of a sample."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

import numpy as np

from app.data.languages import language_of
from app.data.profiling.sampling import spread
from app.data.profiling.words import WordCounts
from app.data.readability import BaseTokenizer, load_tokenizer

MAX_SAMPLED = 50_000
"""Rows whose words and tokens are counted."""

NOT_COUNTED = -1
_BATCH_ROWS = 1_000


class Measured:
    """What is known of N rows, in their order: label, script, characters, tokens, a hash of the text.

    Labels and scripts are numbered as they are first seen. `tokens` is NOT_COUNTED for rows outside `sample` and where
    there is no tokenizer; `words` has the rows of `sample`, ascending.
    """

    def __init__(self, num_rows: int) -> None:
        self.labels: dict[str, int] = {}
        self.scripts: dict[str, int] = {}
        self.label_ids = np.zeros(num_rows, np.int32)
        self.script_ids = np.zeros(num_rows, np.int8)
        self.characters = np.zeros(num_rows, np.int32)
        self.tokens = np.full(num_rows, NOT_COUNTED, np.int32)
        self.hashes = np.zeros(num_rows, np.uint64)
        self.sample = spread(num_rows, MAX_SAMPLED)
        self.words = WordCounts()

    @property
    def duplicate_share(self) -> float:
        """The share of rows whose text, by its 64-bit hash, was seen before."""
        return 1 - len(np.unique(self.hashes)) / len(self.hashes)

    def add(self, row: int, text: str, label: str) -> None:
        """Measure one row."""
        self.label_ids[row] = self.labels.setdefault(label, len(self.labels))
        self.script_ids[row] = self.scripts.setdefault(language_of(text), len(self.scripts))
        self.characters[row] = len(text)
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self.hashes[row] = int.from_bytes(digest, "little")


def measure(
    texts: Sequence[str],
    labels: Iterable[str],
    tokenizer: BaseTokenizer | None,
    progress: Callable[[int, int], None],
) -> Measured:
    """Read every row once, in order; `progress` hears rows done and rows in all."""
    found = Measured(len(texts))
    encoder = None if tokenizer is None else load_tokenizer(tokenizer.file)
    is_sampled = np.zeros(len(texts), bool)
    is_sampled[found.sample] = True
    batch: dict[int, str] = {}

    def count_tokens() -> None:
        if encoder is not None and batch:
            encoded = encoder.encode_batch_fast(list(batch.values()))
            found.tokens[list(batch)] = [len(one.ids) for one in encoded]
        batch.clear()

    for row, (text, label) in enumerate(zip(texts, labels, strict=True)):
        found.add(row, text, label)
        if is_sampled[row]:
            found.words.add(text)
            batch[row] = text
        if len(batch) == _BATCH_ROWS or row % _BATCH_ROWS == 0:
            count_tokens()
            progress(row, len(texts))
    count_tokens()
    progress(len(texts), len(texts))
    return found
