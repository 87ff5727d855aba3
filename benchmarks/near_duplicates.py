"""Near duplicates planted in real texts: how many the data gate finds, and whether what it finds is one.

Into the texts of each file copies of some of them are put, each changed in one way. `recall` is the share of the
planted pairs that stand in one group. `of all pairs` holds the pairs that are listed against every pair of texts,
compared one by one: a pair is true where the Jaccard similarity of the letter groups is at least 0.8. A change that
makes two texts less alike than that is no near duplicate by this measure; `alike` is the share that still are.

    .venv/bin/python benchmarks/near_duplicates.py sst2=train.tsv banking77=train.csv
"""

import argparse
import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.data.near_duplicates import MIN_SIMILARITY, _bare, _shingle_set, near_duplicate_groups, near_duplicate_pairs
from app.data.readers import read

MAX_TEXTS = 3_000
COPIES_A_KIND = 100


def _typo(text: str, generator: random.Random) -> str:
    place = generator.randrange(len(text) - 1)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _words(text: str) -> list[str]:
    return text.split() if " " in text else list(text)


def _joined(words: list[str], like: str) -> str:
    return (" " if " " in like else "").join(words)


def _replaced(text: str, generator: random.Random) -> str:
    words = _words(text)
    words[generator.randrange(len(words))] = "else" if " " in text else "另"
    return _joined(words, text)


def _longer(text: str, generator: random.Random) -> str:
    words = _words(text)
    words.insert(generator.randrange(len(words) + 1), "indeed" if " " in text else "很")
    return _joined(words, text)


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "case and punctuation": lambda text, _: f"“{text.upper()}” !!",
    "two letters exchanged": _typo,
    "a word more": _longer,
    "a word replaced": _replaced,
}


def plant(texts: list[str], seed: int) -> tuple[list[str], dict[str, list[tuple[int, int]]]]:
    """The texts with changed copies after them, and the pairs (original, copy) by kind of change."""
    generator = random.Random(seed)
    least = 60 if " " in texts[0] else 25
    long = [place for place, text in enumerate(texts) if len(text) >= least]
    changed, pairs = list(texts), {}
    for kind, change in KINDS.items():
        chosen = generator.sample(long, min(COPIES_A_KIND, len(long)))
        pairs[kind] = [(place, len(changed) + n) for n, place in enumerate(chosen)]
        changed += [change(texts[place], generator) for place in chosen]
    return changed, pairs


def exact_similarities(texts: list[str]) -> csr_array:
    """Jaccard similarity (N, N) of every two texts that have a letter group in common."""
    shingles = [_shingle_set(_bare(text)) for text in texts]
    ids: dict[object, int] = {}
    columns = [[ids.setdefault(one, len(ids)) for one in found] for found in shingles]
    starts = np.cumsum([0, *map(len, columns)])
    flat = np.array([column for row in columns for column in row], np.int64)
    matrix = csr_array((np.ones(len(flat), np.int32), flat, starts), shape=(len(texts), len(ids)))
    common = (matrix @ matrix.T).tocoo()
    sizes: NDArray[np.int64] = np.diff(starts)
    rows, others = common.coords
    jaccard = common.data / (sizes[rows] + sizes[others] - common.data)
    return csr_array((jaccard, (rows, others)), shape=common.shape)


def report(name: str, file: str, seed: int) -> None:
    """Plant, find and print the rows of both tables for one file."""
    texts = list(dict.fromkeys(text for text in read(file).texts if text.strip()))
    random.Random(seed).shuffle(texts)
    changed, planted = plant(texts[:MAX_TEXTS], seed)
    group_of = {place: n for n, group in enumerate(near_duplicate_groups(changed)) for place in group}
    similar = exact_similarities(changed)
    for kind, pairs in planted.items():
        found = sum(group_of.get(a, -1) == group_of.get(b, -2) for a, b in pairs)
        alike = sum(similar[a, b] >= MIN_SIMILARITY for a, b in pairs)
        print(f"| {name} | {kind} | {len(pairs)} | {alike / len(pairs):.0%} | {found / len(pairs):.0%} |", flush=True)
    listed = {(int(a), int(b)) for a, b in near_duplicate_pairs(changed)}
    upper = similar.tocoo()
    rows, others = upper.coords
    wanted = (rows < others) & (upper.data >= MIN_SIMILARITY)
    true = set(zip(rows[wanted].tolist(), others[wanted].tolist(), strict=True))
    hits = len(listed & true)
    precision, recall = hits / max(1, len(listed)), hits / max(1, len(true))
    print(f"| {name} | of all pairs | {len(true)} | precision {precision:.1%} | recall {recall:.1%} |", flush=True)


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", metavar="NAME=FILE", default=["reviews=examples/reviews_train.csv"])
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    print("| data | change | pairs | alike | recall |")
    print("|---|---|---|---|---|")
    for dataset in options.datasets:
        name, _, file = dataset.partition("=")
        report(name, file, options.seed)


if __name__ == "__main__":
    main()
