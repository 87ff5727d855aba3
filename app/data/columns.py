"""Which column is the text and which the label: by name first, by what is in it second, never by guess.

Works on a sample of the rows; reading them is `readers.py`.
"""

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.domain.errors import AmbiguousColumns, DataUnreadable, InvalidInput
from app.domain.train_config import AUTO
from app.domain.wording import say

# fmt: off
TEXT_NAMES = frozenset({
    "text", "texts", "sentence", "sentences", "review", "reviews", "content", "comment", "comments", "body", "message",
    "tweet", "question", "query", "utterance", "document", "post", "headline", "transcript", "feedback",
    "文本", "文字", "內容", "内容", "評論", "评论", "句子", "留言", "訊息", "消息", "問題", "问题", "心得",
})
LABEL_NAMES = frozenset({
    "label", "labels", "category", "class", "target", "sentiment", "intent", "emotion", "topic", "tag", "polarity",
    "rating", "stars", "y",
    "標籤", "标签", "標記", "标记", "類別", "类别", "分類", "分类", "情感", "情緒", "情绪", "意圖", "意图",
    "評分", "评分",
})
# fmt: on
MAX_LABEL_CHARS = 80
MAX_COLUMNS = 20_000
"""More than a workbook can have. Of a file with more it is not asked what they could be: that takes long."""


@dataclass(frozen=True)
class ColumnChoice:
    """The chosen columns, None where there is none, with one sentence of reason for each that was not given."""

    text: str | None
    label: str | None
    reasons: dict[str, str] = field(default_factory=dict)


def refuse_too_wide(source: object, num_columns: int) -> None:
    """DataUnreadable for more than MAX_COLUMNS."""
    if num_columns > MAX_COLUMNS:
        raise DataUnreadable(
            say(
                "{source} has {num_columns:,} columns; at most {max_columns:,} are read",
                source=source,
                num_columns=num_columns,
                max_columns=MAX_COLUMNS,
            ),
            hint="keep the text and the label; or is it the wrong mark that separates them?",
        )


def name_rank(name: str, known: frozenset[str]) -> int:
    """2 when the whole name is a known one, 1 when one of its words is, else 0."""
    folded = name.strip().casefold()
    if folded in known:
        return 2
    return 1 if any(word in known for word in re.split(r"[\W_]+", folded)) else 0


def looks_like_labels(values: Sequence[str]) -> bool:
    """Whether values are short and recur, as labels do and first words of sentences do not."""
    filled = [value for value in values if value.strip()]
    if not filled or max(map(len, filled)) > MAX_LABEL_CHARS:
        return False
    counts = Counter(filled)
    once = sum(1 for count in counts.values() if count == 1)
    if len(filled) < 20:
        return len(counts) <= max(2, len(filled) // 2) and (once == 0 or len(counts) <= 2)
    return len(counts) <= len(filled) // 2 and once <= len(filled) // 20


def looks_like_text(values: Sequence[str]) -> bool:
    """Whether values are long and varied: several words or ideographs, most of them different."""
    filled = [value for value in values if value.strip()]
    if not filled:
        return False
    words = [len(re.findall(r"[^\W\d_]{2,}", value)) + sum(ord(c) > 0x2E7F for c in value) for value in filled]
    return sum(words) / len(words) >= 2.5 and len(set(filled)) > len(filled) // 2


def nearest(name: str, known: Sequence[str]) -> list[str]:
    """Up to three of `known` that `name` may have been meant for, closest first; case does not count."""
    folded = {candidate.casefold(): candidate for candidate in known}
    return [folded[match] for match in difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.5)]


class _Sample:
    """Cells of the sampled rows by column name; `has_all` says that there are no other rows."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[str | None]], *, has_all: bool) -> None:
        self.columns = columns
        self.called = say("{count:,} rows" if has_all else "the first {count:,} rows", count=len(rows))
        self.values = {
            name: [(row[i] if i < len(row) else None) or "" for row in rows] for i, name in enumerate(columns)
        }
        self.num_rows = len(rows)

    def distinct(self, name: str) -> int:
        return len({value for value in self.values[name] if value.strip()})

    def reason(self, column: str, why: str) -> str:
        """Why a column was chosen, and what was looked at."""
        return say(
            "column '{column}' {why} ({distinct:,} different values in {rows})",
            column=column,
            why=why,
            distinct=self.distinct(column),
            rows=self.called,
        )

    def mean_chars(self, name: str) -> float:
        return sum(map(len, self.values[name])) / max(1, self.num_rows)

    def same_partition(self, first: str, second: str) -> bool:
        """Whether two columns say the same in other words, as a label id and its name do."""
        pairs = set(zip(self.values[first], self.values[second], strict=True))
        return len(pairs) == self.distinct(first) == self.distinct(second)


def _choose_text(sample: _Sample, free: Sequence[str]) -> tuple[str | None, str, list[str]]:
    for rank in (2, 1):
        named = [c for c in free if name_rank(c, TEXT_NAMES) == rank and name_rank(c, LABEL_NAMES) < 2]
        if rank == 1:
            named = [c for c in named if not looks_like_labels(sample.values[c])]
        if len(named) == 1:
            return named[0], say("column '{column}' is named like a text", column=named[0]), []
        if named:
            return None, "", named
    shaped = [c for c in free if looks_like_text(sample.values[c]) and name_rank(c, LABEL_NAMES) == 0]
    shaped.sort(key=sample.mean_chars, reverse=True)
    if len(shaped) > 1 and sample.mean_chars(shaped[0]) >= 2 * sample.mean_chars(shaped[1]):
        return shaped[0], say("column '{column}' has by far the longest texts", column=shaped[0]), []
    if len(shaped) == 1:
        return shaped[0], sample.reason(shaped[0], say("has long, varied text")), []
    return None, "", shaped


def _without_ids_of_names(sample: _Sample, candidates: list[str]) -> list[str]:
    """Of two label columns that say the same, keep the one with names rather than numbers."""
    if len(candidates) != 2 or not sample.same_partition(*candidates):
        return candidates
    named = [c for c in candidates if not all(v.strip().lstrip("-").isdecimal() for v in sample.values[c] if v)]
    return named if len(named) == 1 else candidates


def _choose_label(sample: _Sample, free: Sequence[str]) -> tuple[str | None, str, list[str]]:
    rank = {c: name_rank(c, LABEL_NAMES) for c in free}
    named = [c for c in free if rank[c] == 2 or (rank[c] == 1 and looks_like_labels(sample.values[c]))]
    named = _without_ids_of_names(sample, named)
    exact = [c for c in named if rank[c] == 2]
    for candidates in (exact, named):
        if len(candidates) == 1:
            return candidates[0], sample.reason(candidates[0], say("is named like a label")), []
        if candidates:
            return None, "", candidates
    shaped = [c for c in free if looks_like_labels(sample.values[c])]
    shaped = _without_ids_of_names(sample, [c for c in shaped if sample.distinct(c) > 1] or shaped)
    if len(free) == len(shaped) == 2 == len(sample.columns):
        short, long = sorted(shaped, key=sample.mean_chars)
        if 2 * sample.mean_chars(short) <= sample.mean_chars(long) and sample.distinct(short) <= sample.distinct(long):
            return short, sample.reason(short, say("has the shorter and fewer values")), []
    if len(shaped) == 1:
        return shaped[0], sample.reason(shaped[0], say("has few, recurring values")), []
    return None, "", shaped


def _ambiguous(role: str, candidates: list[str], sample: _Sample) -> AmbiguousColumns:
    shown = []
    for column in candidates:
        example = next((value for value in sample.values[column] if value.strip()), "")
        shown.append(say("'{column}' (such as {example!r})", column=column, example=example[:40]))
    return AmbiguousColumns(
        say("more than one column could be the {role}: {shown}", role=say(role), shown=shown),
        hint=say("name it with --{option}-column, or data.{option}_column in the configuration", option=role),
        role=role,
        choices=candidates,
    )


def choose_text_column(
    columns: Sequence[str], rows: Sequence[Sequence[str | None]], *, has_all: bool = True
) -> ColumnChoice:
    """Pick the text column from a sample of rows that need no label; a label only helps to tell what is no text.

    `has_all`: the rows are all there are, so the reasons need not say how many were looked at. Raises AmbiguousColumns
    where several columns could be the text and are equally good.
    """
    sample = _Sample(columns, rows, has_all=has_all)
    text, why, candidates = _choose_text(sample, columns)
    if candidates:
        raise _ambiguous("text", candidates, sample)
    if text is None and len(columns) == 1:
        text, why = columns[0], say("it is the only column")
    if text is None and len(columns) == 2:
        label, _, _ = _choose_label(sample, columns)
        if label is not None:
            text = next(c for c in columns if c != label)
            why = say("column '{column}' is the only one beside the label", column=text)
    return ColumnChoice(text, None, {"text_column": why} if text is not None else {})


def choose_columns(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    text_column: str = AUTO,
    label_column: str = AUTO,
    *,
    has_all: bool = True,
) -> ColumnChoice:
    """Pick text and label column from a sample of rows; `has_all` as for `choose_text_column`.

    A given name is taken as it is (None where the file lacks it). Raises AmbiguousColumns with the candidates where
    `auto` finds several that are equally good.
    """
    if text_column == label_column != AUTO:
        raise InvalidInput(
            say("text and label are both column '{text_column}'", text_column=text_column),
            hint="give two different columns",
        )
    sample = _Sample(columns, rows, has_all=has_all)
    reasons: dict[str, str] = {}
    chosen: dict[str, str | None] = {}
    for role, asked in (("text", text_column), ("label", label_column)):
        if asked != AUTO:
            chosen[role] = asked if asked in columns else None
    for role, choose in (("text", _choose_text), ("label", _choose_label)):
        if role in chosen:
            continue
        free = [c for c in columns if c not in chosen.values()]
        column, why, candidates = choose(sample, free)
        if candidates:
            raise _ambiguous(role, candidates, sample)
        chosen[role] = column
        if column is not None:
            reasons[f"{role}_column"] = why
    if chosen["text"] is None and text_column == AUTO and chosen["label"] is not None and len(columns) == 2:
        chosen["text"] = next(c for c in columns if c != chosen["label"])
        reasons["text_column"] = say("column '{column}' is the only one beside the label", column=chosen["text"])
    return ColumnChoice(chosen["text"], chosen["label"], reasons)
