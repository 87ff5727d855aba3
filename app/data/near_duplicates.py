"""Texts that are nearly the same: MinHash signatures, locality-sensitive buckets, and an exact check of each pair.

Broder (1997), "On the resemblance and containment of documents": the Jaccard similarity of two sets of shingles is the
chance that their smallest hashes agree. Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets", 3.4: bands of rows
of the signature find the pairs worth looking at. Every pair is then compared exactly, so none is named by chance.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from app.data.languages import is_ideographic
from app.data.progress import counted

MIN_SIMILARITY = 0.8
"""Jaccard similarity of shingles from which two texts count as near duplicates: a word changed in a sentence of 15."""

SHINGLE_CHARS = 5
SHINGLE_IDEOGRAPHS = 2
"""Characters of a shingle; fewer where a character stands for a word."""

_BANDS, _BAND_ROWS = 16, 4
MIN_BANDS = 2
"""Bands that two texts must share to be compared: of pairs 0.8 alike all but one in 400 do, of those 0.3 alike one in
150."""

_BATCH_CHARS = 2_000_000
_MAX_TEXT_CHARS = 20_000
_ALL_PAIRS_UP_TO = 10
_NO_WORD = re.compile(r"[\W_]+")
_BASE = np.uint64(0x9E3779B97F4A7C15)
_RNG = np.random.default_rng(20_231)
_FACTORS = _RNG.integers(0, 2**63, _BANDS * _BAND_ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_SHIFTS = _RNG.integers(0, 2**63, _BANDS * _BAND_ROWS, dtype=np.uint64)


@dataclass(frozen=True)
class Sketches:
    """What is kept of texts to find like ones: keys (F, bands) of the F texts with letters or digits, `places` (F,)."""

    num_texts: int
    places: NDArray[np.int64]
    keys: NDArray[np.uint32]

    def __add__(self, other: "Sketches") -> "Sketches":
        """Those of the texts of both, one after the other."""
        return Sketches(
            self.num_texts + other.num_texts,
            np.concatenate([self.places, other.places + self.num_texts]),
            np.concatenate([self.keys, other.keys]),
        )


def sketch(texts: Sequence[str]) -> Sketches:
    """Signatures of texts, read once in order and not kept."""
    places: list[NDArray[np.int64]] = []
    keys: list[NDArray[np.uint32]] = []
    num_texts = 0
    for batch in _batches(map(_bare, counted(texts, "near duplicates", len(texts)))):
        filled = np.array([index for index, text in enumerate(batch) if text], np.int64)
        places.append(filled + num_texts)
        keys.append(_band_keys([batch[index] for index in filled]))
        num_texts += len(batch)
    none = np.empty((0, _BANDS), np.uint32)
    return Sketches(num_texts, np.concatenate([np.empty(0, np.int64), *places]), np.concatenate([none, *keys]))


def near_duplicate_pairs(texts: Sequence[str], sketches: Sketches | None = None) -> NDArray[np.int64]:
    """Pairs (P, 2) of indices, the smaller first, of texts at least MIN_SIMILARITY alike, equal ones included.

    Of a crowd of like texts not every pair is listed, but enough of them to connect the crowd. Texts are compared
    without case and punctuation, by their first 20,000 characters; one without letters or digits is like no other.
    `sketches` are those of `texts`, where they were made before.
    """
    found = sketches or sketch(texts)
    places = found.places.tolist()
    shingles = lru_cache(maxsize=4096)(lambda index: _shingle_set(_bare(texts[places[index]])))
    candidates = _candidates(found.keys)
    pairs = counted(candidates.tolist(), "near duplicates, pair by pair", len(candidates))
    alike = [pair for pair in pairs if _similarity(shingles(pair[0]), shingles(pair[1])) >= MIN_SIMILARITY]
    return found.places[np.array(alike, np.int64).reshape(-1, 2)]


def near_duplicate_groups(texts: Sequence[str]) -> list[list[int]]:
    """Indices of texts that hang together by near-duplicate pairs, ascending; only groups of two and more."""
    pairs = near_duplicate_pairs(texts)
    if not len(pairs):
        return []
    members, places = np.unique(pairs, return_inverse=True)
    places = places.reshape(-1, 2)
    links = coo_array((np.ones(len(places), bool), (places[:, 0], places[:, 1])), shape=(len(members),) * 2)
    _, group = connected_components(links, directed=False)
    order = np.argsort(group, kind="stable")
    found = np.split(members[order], np.flatnonzero(np.diff(group[order])) + 1)
    return sorted(part.tolist() for part in found)


def _bare(text: str) -> str:
    return _NO_WORD.sub(" ", text[:_MAX_TEXT_CHARS].casefold()).strip()


def _shingle_chars(text: str) -> int:
    if text.isascii():
        return SHINGLE_CHARS
    return SHINGLE_IDEOGRAPHS if 2 * sum(map(is_ideographic, text)) > len(text) else SHINGLE_CHARS


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch, size = [], 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH_CHARS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _band_keys(texts: list[str]) -> NDArray[np.uint32]:
    """One key (N, bands) for each band of each text's signature; two texts that share one by chance cost a look."""
    keys = np.empty((len(texts), _BANDS), np.uint32)
    sizes = np.array([_shingle_chars(text) for text in texts])
    for size in (SHINGLE_CHARS, SHINGLE_IDEOGRAPHS):
        rows = np.flatnonzero(sizes == size)
        if len(rows):
            keys[rows] = _keys_of_size([texts[row] for row in rows], size) >> np.uint64(32)
    return keys


def _keys_of_size(texts: list[str], size: int) -> NDArray[np.uint64]:
    padded = [text.ljust(size) for text in texts]
    lengths = np.array([len(text) for text in padded])
    hashes = _shingle_hashes("".join(padded), size)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    inside = np.ones(lengths.sum(), bool)
    for back in range(1, size):
        inside[starts + lengths - back] = False  # a shingle that would reach into the next text
    hashes = hashes[inside[: len(hashes)]]
    offsets = np.concatenate([[0], np.cumsum(lengths - size + 1)[:-1]])
    keys = np.zeros((len(texts), _BANDS), np.uint64)
    for number, (factor, shift) in enumerate(zip(_FACTORS, _SHIFTS, strict=True)):
        smallest = np.minimum.reduceat((hashes * factor + shift) >> np.uint64(32), offsets)
        band = number // _BAND_ROWS
        keys[:, band] = _mixed(keys[:, band] * _BASE + smallest)
    return keys


def _shingle_hashes(text: str, size: int) -> NDArray[np.uint64]:
    """Hash (len(text) - size + 1,) of the shingle that starts at each character."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    count = len(codes) - size + 1
    hashes = np.zeros(count, np.uint64)
    for place in range(size):
        hashes = hashes * _BASE + codes[place : place + count]
    return _mixed(hashes)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over the whole word (the finaliser of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _candidates(keys_NB: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Pairs (P, 2), the smaller index first, ascending, that share MIN_BANDS bands or more.

    Of a bucket with many texts only each with its neighbour and with the first is looked at.
    """
    num_texts = len(keys_NB)
    codes = [np.empty(0, np.int64)]
    for band in range(keys_NB.shape[1] if num_texts else 0):
        for pairs in _pairs_of_band(keys_NB[:, band]):
            agreeing = (keys_NB[pairs[:, 0]] == keys_NB[pairs[:, 1]]).sum(axis=1)
            kept = np.sort(pairs[agreeing >= MIN_BANDS], axis=1)
            codes.append(kept[:, 0] * num_texts + kept[:, 1])
    found = np.unique(np.concatenate(codes))
    return np.stack([found // max(1, num_texts), found % max(1, num_texts)], axis=1)


def _pairs_of_band(keys_N: NDArray[np.uint32]) -> Iterator[NDArray[np.int64]]:
    """Pairs (P, 2) of texts with the same key, some at a time."""
    order = np.argsort(keys_N, kind="stable")
    ordered = keys_N[order]
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts = np.flatnonzero(is_first)
    bucket = np.cumsum(is_first) - 1
    sizes = np.diff(np.append(starts, len(order)))[bucket]
    for apart in range(1, min(_ALL_PAIRS_UP_TO, len(order))):
        same = bucket[:-apart] == bucket[apart:]
        if apart > 1:
            same &= sizes[:-apart] <= _ALL_PAIRS_UP_TO
        places = np.flatnonzero(same)
        yield np.stack([order[places], order[places + apart]], axis=1)
    crowded = np.flatnonzero((sizes > _ALL_PAIRS_UP_TO) & ~is_first)
    yield np.stack([order[starts[bucket[crowded]]], order[crowded]], axis=1)


def _shingle_set(text: str) -> NDArray[np.uint64]:
    size = _shingle_chars(text)
    return np.unique(_shingle_hashes(text.ljust(size), size))


def _similarity(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> float:
    if min(len(a), len(b)) < MIN_SIMILARITY * max(len(a), len(b)):
        return 0.0
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)
