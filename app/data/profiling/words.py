"""Words of texts in any script, the vocabulary they make, and the words that mark each label."""

import re
import unicodedata
from array import array
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.data.personal_data import mask
from app.domain.data_profile import MarkingWord, Vocabulary, WordCount

MAX_CHARS = 1_000
"""Characters of a text whose words are counted."""

MAX_VOCABULARY = 500_000
"""Different words that are counted; a word first seen after so many is left out."""

MAX_FREQUENT = 30
MAX_MARKING = 10
MIN_Z = 1.96
MIN_COUNT = 3

# Han, kana, Thai, Lao, Burmese, Khmer: written without spaces between words.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")


@cache
def _runs() -> re.Pattern[str]:
    """Runs of unspaced letters, or words: letters, digits and the marks on them, with apostrophes inside."""
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    letter = rf"(?:(?![{_UNSPACED}])[^\W_]|[{marks}])"
    return re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|{letter}+(?:['’]{letter}+)*")


def words_of(text: str) -> Iterator[str]:
    """Words in lower case, in order; pairs of neighbouring characters where a script puts no spaces between words.

    What has no letter is no word. Personal data is masked before.
    """
    for found in _runs().finditer(mask(text[:MAX_CHARS]).casefold()):
        run = found[0]
        if found["unspaced"] is None:
            if not run.isdecimal():
                yield run.replace("’", "'")
        elif len(run) == 1:
            yield run
        else:
            yield from (run[place : place + 2] for place in range(len(run) - 1))


class WordCounts:
    """Counts of words, text by text; ids are given in the order in which words are first seen."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._found = array("i")
        self._ends = array("q", [0])
        self._known_after = array("i")

    def add(self, text: str) -> None:
        """Count one more text."""
        ids, found = self._ids, self._found
        for word in words_of(text):
            known = ids.get(word)
            if known is None:
                if len(ids) >= MAX_VOCABULARY:
                    continue
                known = ids[word] = len(ids)
            found.append(known)
        self._ends.append(len(found))
        self._known_after.append(len(ids))

    @property
    def words(self) -> list[str]:
        """Every word, by id."""
        return list(self._ids)

    def matrix(self) -> csr_array:
        """Counts (texts, words), int32."""
        found = np.frombuffer(self._found, np.int32) if self._found else np.zeros(0, np.int32)
        ends = np.frombuffer(self._ends, np.int64)
        counts = csr_array((np.ones(len(found), np.int32), found, ends), shape=(len(ends) - 1, max(1, len(self._ids))))
        counts.sum_duplicates()
        return counts

    def vocabulary(self) -> Vocabulary:
        """What the words counted so far look like as a whole."""
        words, num_texts = self.words, len(self._known_after)
        found = np.frombuffer(self._found, np.int32) if self._found else np.zeros(0, np.int32)
        counts = np.bincount(found, minlength=len(words))
        half = num_texts // 2
        later = found[self._ends[half] :] if half else found[:0]
        num_new = int((later >= self._known_after[half - 1]).sum()) if half else 0
        num_pairs = sum(int(counts[i]) for i, word in enumerate(words) if _IS_UNSPACED.match(word))
        return Vocabulary(
            unit="pairs of characters" if 2 * num_pairs > len(found) else "words",
            rows=num_texts,
            total=len(found),
            size=len(words),
            type_token_ratio=len(words) / max(1, len(found)),
            hapaxes=int((counts == 1).sum()),
            new_share=num_new / max(1, len(later)),
            most_frequent=[
                WordCount(word=words[i], count=int(counts[i])) for i in _highest(counts, words, MAX_FREQUENT)
            ],
        )


def _highest(values: NDArray[np.float64] | NDArray[np.int64], words: list[str], most: int) -> list[int]:
    """Places of the highest values, equal ones by word."""
    if len(values) > most:
        least = np.partition(values, -most)[-most]
        places = np.flatnonzero(values >= least).tolist()
    else:
        places = list(range(len(values)))
    return sorted(places, key=lambda i: (-values[i], words[i]))[:most]


def marking_words(counts_CV: csr_array, words: list[str], classes: int) -> list[list[MarkingWord]]:
    """For each of the first `classes` labels the words that tell it from the other labels, strongest first.

    `counts_CV` (labels, words) has the counts of every label. The log-odds ratio of a label against all others, with an
    informative Dirichlet prior, divided by its standard deviation: Monroe, Colaresi and Quinn 2008, "Fightin' Words",
    equations 16, 20 and 22. The prior has the counts of all labels together, so that a rare word must be rare by more
    than chance. Words said less than three times, or with z below 1.96, are left out.
    """
    prior_V = np.asarray(counts_CV.sum(axis=0), dtype=np.float64).ravel()
    if np.count_nonzero(prior_V) < 2:
        return [[] for _ in range(classes)]  # a word that is the only one tells nothing apart
    total = prior_V.sum()
    by_class = counts_CV.tocsr()
    marking: list[list[MarkingWord]] = []
    for row in range(classes):
        part = slice(by_class.indptr[row], by_class.indptr[row + 1])
        ids, own = by_class.indices[part], by_class.data[part].astype(np.float64)
        prior = prior_V[ids]
        others, own_total = prior - own, own.sum()
        if own_total in (0, total):
            marking.append([])
            continue
        ours = np.log((own + prior) / (own_total + total - own - prior))
        theirs = np.log((others + prior) / (2 * total - own_total - others - prior))
        z = (ours - theirs) / np.sqrt(1 / (own + prior) + 1 / (others + prior))
        kept = np.flatnonzero((z >= MIN_Z) & (own >= MIN_COUNT))
        named = [words[ids[i]] for i in kept]
        marking.append(
            [
                MarkingWord(word=named[i], count=int(own[kept[i]]), z=round(float(z[kept[i]]), 2))
                for i in _highest(z[kept], named, MAX_MARKING)
            ]
        )
    return marking
