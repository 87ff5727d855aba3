"""Whether a base model can read the texts: what its tokenizer makes of each script."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.data.languages import OTHER, language_of
from app.data.progress import counted, report
from app.domain.errors import ModelUnusable
from app.domain.wording import say

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_TEXTS = 1000
"""Texts of each script that are tokenized, evenly spaced over the file."""

MAX_CHARS = 2000
MAX_LONG_TEXTS = 20_000
"""Texts whose tokens are counted to see whether they are cut."""

MAX_CHARS_A_TOKEN = 50
_TEXTS_AT_ONCE = 1000


@dataclass(frozen=True)
class BaseTokenizer:
    """The name of a base model, its tokenizer.json, and how many tokens of a text it reads, where that is known."""

    name: str
    file: Path
    max_length: int | None = None


@dataclass(frozen=True)
class Reading:
    """How one script is read.

    `unknown_share` of the tokens stand for what the vocabulary does not have. `tokens_per_letter`, the fertility, is
    about 0.3 for English with an English vocabulary and 1 for ideographs that are known.
    """

    rows: list[int]
    unknown_share: float
    tokens_per_letter: float


def read_by_script(texts: Sequence[str], base: BaseTokenizer) -> dict[str, Reading]:
    """Indices of the rows of each script and how a sample of them is read; texts without letters are left out."""
    tokenizer = load_tokenizer(base.file)
    unknown = _unknown_id(tokenizer)
    rows_of: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        rows_of[language_of(text)].append(index)
    rows_of.pop(OTHER, None)
    return {script: _read(texts, rows, tokenizer, unknown) for script, rows in rows_of.items()}


def too_long(texts: Sequence[str], base: BaseTokenizer) -> tuple[list[int], int]:
    """Indices of texts of more tokens than the base model reads, and how many texts were looked at.

    Those of few characters have few tokens; of very many others an evenly spaced sample is tokenized.
    """
    if base.max_length is None:
        return [], len(texts)
    tokenizer = load_tokenizer(base.file)
    long = [i for i in counted(range(len(texts)), "long texts", len(texts)) if len(texts[i]) >= base.max_length - 2]
    step = -(-len(long) // MAX_LONG_TEXTS) if long else 1
    sample = long[::step]
    found = []
    for start in range(0, len(sample), _TEXTS_AT_ONCE):
        rows = sample[start : start + _TEXTS_AT_ONCE]
        encoded = tokenizer.encode_batch_fast([texts[row][: MAX_CHARS_A_TOKEN * base.max_length] for row in rows])
        found += [row for row, one in zip(rows, encoded, strict=True) if len(one.ids) > base.max_length]
        report("tokens", min(start + _TEXTS_AT_ONCE, len(sample)), len(sample))
    return found, len(texts) if step == 1 else (len(texts) - len(long)) // step + len(sample)


def load_tokenizer(file: Path) -> "Tokenizer":
    """A tokenizer.json, set to neither cut nor pad; ModelUnusable where it is none."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no narrower class
        raise ModelUnusable(
            say("{file} is no tokenizer: {error}", file=file, error=error), hint="fetch the model again"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _unknown_id(tokenizer: "Tokenizer") -> int | None:
    """The id of the unknown token; None where every byte has a token."""
    model = json.loads(tokenizer.to_str())["model"]
    unknown: int | str | None = model["unk_token"] if model.get("unk_token") else model.get("unk_id")
    return tokenizer.token_to_id(unknown) if isinstance(unknown, str) else unknown


def _read(texts: Sequence[str], rows: list[int], tokenizer: "Tokenizer", unknown: int | None) -> Reading:
    step = -(-len(rows) // MAX_TEXTS)
    sample = [texts[row][:MAX_CHARS] for row in rows[::step]]
    encoded = tokenizer.encode_batch_fast(sample, add_special_tokens=False)
    num_tokens = sum(len(one.ids) for one in encoded)
    num_unknown = 0 if unknown is None else sum(one.ids.count(unknown) for one in encoded)
    num_letters = sum(char.isalpha() for text in sample for char in text)
    return Reading(rows, num_unknown / max(1, num_tokens), num_tokens / max(1, num_letters))
