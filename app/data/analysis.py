"""Rows to a DataProfile. Nothing is judged here: findings are in validation.

All rows are read once; what costs more is done on samples, so that memory grows by 21 bytes a row.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.data.language_names import count_languages
from app.data.profiling import text_map
from app.data.profiling.classes import Classes
from app.data.profiling.examples import excerpt, tf_idf
from app.data.profiling.lengths import shared_bins, summary
from app.data.profiling.measuring import NOT_COUNTED, Measured, measure
from app.data.profiling.sampling import spread
from app.data.readability import BaseTokenizer, read_by_script
from app.domain.data_profile import (
    Balance,
    ClassProfile,
    DataProfile,
    LengthSummary,
    MapPoint,
    ScriptReading,
    TextMap,
)
from app.domain.errors import InvalidInput

MAX_EMBEDDED_CHARS = 2_000
MAX_MAP_EXCERPT = 110
MAX_LANGUAGE_ROWS = 2_000
MAX_READ_ROWS = 5_000

Progress = Callable[[str, int, int], None]
"""Hears a stage, what is done of it and how much there is."""

Floats = NDArray[np.float32]


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Encoder:
    """A base model that makes unit vectors (N, D) of texts; its second argument hears texts done and texts in all."""

    name: str
    embed: Callable[[Sequence[str], Callable[[int, int], None]], Floats]


def profile_rows(
    texts: Sequence[str],
    labels: Sequence[str],
    tokenizer: BaseTokenizer | None = None,
    *,
    near_duplicates: int = 0,
    with_map: bool = False,
    encoder: Encoder | None = None,
    progress: Progress = no_progress,
) -> DataProfile:
    """Profile texts with their labels, given in the same order. The same rows always give the same profile.

    `near_duplicates` is the number of rows nearly equal to an earlier, different one. Words, and with `tokenizer`
    tokens, special ones included, are counted on at most 50,000 rows spread over the file. `with_map` lays at most
    2,000 of them out in two dimensions: by `encoder`, which then also tells which texts are typical, else by the TF-IDF
    of their words. Raises InvalidInput without rows.
    """
    if not len(texts):
        raise InvalidInput("there are no usable rows to profile", hint="finetune data validate FILE says why")
    found = measure(texts, labels, tokenizer, lambda done, total: progress("rows", done, total))
    classes = Classes(found)
    counts_NV = found.words.matrix()
    words = classes.words(counts_NV, found.sample, found.words.words)
    vectors, sample, vectors_by = tf_idf(counts_NV), found.sample, "TF-IDF"
    mapped = spread(len(sample), text_map.MAX_ROWS)
    if encoder is not None:
        sample, mapped, vectors_by = sample[mapped], np.arange(len(mapped)), f"embeddings of {encoder.name}"
        chosen = [texts[int(row)][:MAX_EMBEDDED_CHARS] for row in sample]
        vectors = csr_array(encoder.embed(chosen, lambda done, total: progress("embeddings", done, total)))
    examples = classes.examples(vectors, sample, texts)
    points = None
    if with_map:
        progress("map", 0, 1)
        points = _points(vectors[mapped], sample[mapped], texts, classes)
        progress("map", 1, 1)
    counted = found.tokens != NOT_COUNTED
    languages = count_languages(texts[int(row)] for row in spread(len(texts), MAX_LANGUAGE_ROWS))
    lengths = _Lengths(found)
    everything = np.arange(len(texts))
    return DataProfile(
        rows=len(texts),
        classes=[
            ClassProfile(
                label=name,
                rows=len(rows),
                share=len(rows) / len(texts),
                characters=lengths.characters(rows),
                tokens=lengths.tokens(rows),
                scripts=_scripts(found, rows),
                words=words[place] if place < classes.num_detailed else [],
                typical=examples[place][0] if place < classes.num_detailed else [],
                atypical=examples[place][1] if place < classes.num_detailed else [],
            )
            for place, (name, rows) in enumerate(zip(classes.names, classes.rows, strict=True))
        ],
        balance=_balance(np.array([len(rows) for rows in classes.rows])),
        characters=lengths.characters(everything),
        character_bins=lengths.character_bins,
        tokens=lengths.tokens(everything),
        tokens_by=tokenizer.name if tokenizer is not None else None,
        token_bins=lengths.token_bins,
        token_rows=int(counted.sum()),
        scripts=_scripts(found, everything),
        languages=languages,
        language_rows=sum(languages.values()),
        readings=_readings(texts, tokenizer, found),
        duplicate_share=found.duplicate_share,
        near_duplicate_share=near_duplicates / len(texts),
        vocabulary=found.words.vocabulary(),
        examples_by=vectors_by,
        map=None if points is None else TextMap(vectors=vectors_by, points=points),
    )


class _Lengths:
    """Lengths of any rows over bins that all labels share."""

    def __init__(self, found: Measured) -> None:
        self._found = found
        counted = found.tokens[found.tokens != NOT_COUNTED]
        self.character_bins = shared_bins(found.characters)
        self.token_bins = shared_bins(counted) if len(counted) else []

    def characters(self, rows: NDArray[np.int64]) -> LengthSummary:
        """Of the texts in characters."""
        return summary(self._found.characters[rows], self.character_bins)

    def tokens(self, rows: NDArray[np.int64]) -> LengthSummary | None:
        """Of those texts whose tokens were counted; None where there is none."""
        lengths = self._found.tokens[rows]
        lengths = lengths[lengths != NOT_COUNTED]
        return summary(lengths, self.token_bins) if len(lengths) else None


def _readings(texts: Sequence[str], tokenizer: BaseTokenizer | None, found: Measured) -> list[ScriptReading]:
    """How the tokenizer reads each script, on a sample; `rows` counts all rows of the script."""
    if tokenizer is None:
        return []
    rows_of = _scripts(found, np.arange(len(texts)))
    sample = [texts[int(row)] for row in spread(len(texts), MAX_READ_ROWS)]
    readings = [
        ScriptReading(
            script=script,
            rows=rows_of.get(script, len(one.rows)),
            unknown_share=one.unknown_share,
            tokens_per_letter=one.tokens_per_letter,
        )
        for script, one in read_by_script(sample, tokenizer).items()
    ]
    return sorted(readings, key=lambda one: (-one.rows, one.script))


def _scripts(found: Measured, rows: NDArray[np.int64]) -> dict[str, int]:
    counts = np.bincount(found.script_ids[rows], minlength=len(found.scripts))
    named = {name: int(count) for name, count in zip(found.scripts, counts, strict=True) if count}
    return dict(Counter(named).most_common())


def _balance(sizes: NDArray[np.int64]) -> Balance:
    shares = sizes / sizes.sum()
    entropy = float(-(shares * np.log(shares)).sum() / np.log(len(shares))) if len(shares) > 1 else 0.0
    return Balance(majority_share=float(shares.max()), entropy=entropy, ratio=float(sizes.max() / sizes.min()))


def _points(
    vectors_ND: csr_array, rows: NDArray[np.int64], texts: Sequence[str], classes: Classes
) -> list[MapPoint] | None:
    laid_out = text_map.lay_out(vectors_ND)
    if laid_out is None:
        return None
    return [
        MapPoint(
            x=int(x), y=int(y), label=int(classes.of_row[row]), text=excerpt(texts[int(row)], limit=MAX_MAP_EXCERPT)
        )
        for (x, y), row in zip(laid_out, rows, strict=True)
    ]
