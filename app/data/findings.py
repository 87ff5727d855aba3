"""Findings and how grave they are: which codes block, which inform, what the user allowed or made blocking.

What is looked for in the rows is in `checks/`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

from app.data import personal_data
from app.data.columns import nearest
from app.data.readers import Rows
from app.domain.data_report import MAX_ROWS_NAMED, Finding, FindingCode
from app.domain.errors import ConfigError
from app.domain.wording import Said, Sentence, say

Severity = Literal["error", "warning"]

BLOCKING: frozenset[FindingCode] = frozenset(
    {
        "unreadable_row",
        "missing_column",
        "empty_text",
        "missing_label",
        "single_class",
        "unknown_label",
        "label_variant",
    }
)
INFORMING: frozenset[FindingCode] = frozenset(get_args(FindingCode)) - BLOCKING

FATAL: frozenset[FindingCode] = frozenset({"missing_column", "single_class"})
"""Nothing can be trained in spite of these, so they cannot be allowed."""

DROPPING: frozenset[FindingCode] = frozenset({"unreadable_row", "empty_text", "missing_label", "unknown_label"})
"""Rows with these are left out when the code is allowed."""

DROPPABLE: tuple[FindingCode, ...] = (
    "near_duplicate",
    "language_mismatch",
    "length_outlier",
    "encoding_damage",
    "personal_data",
    "suspected_label_error",
    "leakage",
)
"""Rows with these a person may want to leave out of a cleaned copy; nobody decides that for him."""

COST: dict[FindingCode, str] = {
    "unreadable_row": say("these rows are lost to training"),
    "missing_column": say("nothing can be trained"),
    "empty_text": say("a model would learn a label from nothing, and guess it for whatever it cannot read"),
    "missing_label": say("these rows are lost to training"),
    "single_class": say("nothing can be told apart, so nothing can be trained"),
    "unknown_label": say("the model cannot give this answer, so each of these rows counts as wrong"),
    "label_variant": say("one label is learnt as several, each from fewer rows, and right answers count as wrong"),
    "duplicate": say("what is repeated weighs more than the rest, and time is spent on it again"),
    "near_duplicate": say("what is repeated weighs more than the rest; drawn apart by hand, it makes scores too good"),
    "conflicting_label": say("whatever is answered, some of these rows count as wrong"),
    "leakage": say("the score is too good: it counts what was learnt by heart"),
    "imbalance": say("a model that always gives the frequent label looks good by accuracy and is of no use"),
    "tiny_class": say("what the model does with this label is not measured"),
    "sorted_labels": say("a file that is cut by position has labels in one part that the other lacks"),
    "truncated": say("what decides may stand in the part that is not read"),
    "encoding_damage": say("the damaged words are not those of the base model, nor of the texts to come"),
    "length_outlier": say("a text of another kind teaches little, and a long one takes the time and memory of many"),
    "language_mismatch": say("what the base model cannot read it cannot learn from"),
    "personal_data": say("it is copied into every version and report, and a model can learn it by heart"),
    "suspected_label_error": say("a wrong label teaches the wrong answer, and on evaluation rows hides the right one"),
}
"""What each kind of finding costs, in a sentence."""

MAX_EXAMPLES = 3


@dataclass(frozen=True)
class Rules:
    """Which codes the user allowed and which he made blocking."""

    allow: frozenset[str] = frozenset()
    block: frozenset[str] = frozenset()

    @classmethod
    def of(cls, allow: Iterable[str], block: Iterable[str]) -> "Rules":
        """Check the codes; ConfigError names the nearest known one, or says why a code cannot be set."""
        allowed, blocked = frozenset(allow), frozenset(block)
        known = get_args(FindingCode)
        for key, codes in (("data.allow", allowed), ("data.block", blocked)):
            for code in sorted(codes - set(known)):
                near = nearest(code, known)
                hint = (
                    say("did you mean {near}?", near=near[0])
                    if near
                    else say("known codes: {codes}", codes=", ".join(known))
                )
                raise ConfigError(say("{key}: there is no finding code '{code}'", key=key, code=code), hint=hint)
        if fatal := sorted(allowed & FATAL):
            raise ConfigError(
                say("data.allow: '{code}' cannot be allowed", code=fatal[0]), hint="no training is possible with it"
            )
        if both := sorted(allowed & blocked):
            raise ConfigError(say("'{code}' is in data.allow and in data.block", code=both[0]), hint="keep one of them")
        return cls(allowed, blocked)

    def severity(self, code: FindingCode, *, blocking: bool = False) -> Severity:
        """`error` where the code blocks, or this finding of it does."""
        if code in self.allow:
            return "warning"
        return "error" if code in self.block or code in BLOCKING or blocking else "warning"


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _shown(example: str) -> str:
    """As it may be kept: short, and with what is personal masked, in what it is made of as well."""
    english = _shorten(personal_data.mask(example))
    return Said.of(english, _masked(example.sentence)) if isinstance(example, Said) else english


def _masked(sentence: Sentence) -> Sentence:
    values = {name: _masked(one) if isinstance(one, Sentence) else one for name, one in sentence.values.items()}
    texts = {name: _shorten(personal_data.mask(one)) for name, one in values.items() if isinstance(one, str)}
    return sentence.model_copy(update={"values": values | texts})


def rows_in_words(count: int) -> Said:
    """`1 row`, `1,234 rows`."""
    return say("1 row") if count == 1 else say("{count:,} rows", count=count)


class Findings:
    """Collects findings over the rows of one file."""

    def __init__(self, rows: Rows, rules: Rules) -> None:
        self.rows, self.rules = rows, rules
        self.found: list[Finding] = []
        self.numbers_of: dict[FindingCode, list[int]] = {}
        """Numbers of all rows with a finding, those of the report's first hundred and the others."""

    def add(
        self,
        code: FindingCode,
        message: str,
        fix: str,
        indices: Sequence[int] = (),
        *,
        numbers: Sequence[int] | None = None,
        count: int | None = None,
        examples: Iterable[str] = (),
        blocking: bool = False,
        fatal: bool = False,
    ) -> None:
        """Note a finding on the rows at `indices` of the lists of `rows`, or on the rows with these `numbers`.

        At most three examples are kept, shortened, personal data in them masked.

        One that is `blocking` blocks unless its code is allowed, one that is `fatal` always does.
        """
        if numbers is None:
            numbers = [self.rows.numbers[i] for i in indices]
        self.numbers_of.setdefault(code, []).extend(numbers)
        severity: Severity = "error" if fatal else self.rules.severity(code, blocking=blocking)
        if severity == "warning" and code in DROPPING:
            message = say("{finding}; allowed, so left out", finding=message)
        self.found.append(
            Finding(
                code=code,
                severity=severity,
                message=message,
                cost=COST[code],
                fix=fix,
                count=len(indices) if count is None else count,
                rows=list(numbers[:MAX_ROWS_NAMED]),
                examples=[_shown(example) for example in islice(examples, MAX_EXAMPLES)],
            )
        )
