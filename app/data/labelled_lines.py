"""Lines that say which word of theirs is the label: `__label__positive a good day`, as fastText reads them."""

import re
from collections.abc import Iterable, Iterator, Sequence

from app.data.encoding import OVERLONG
from app.data.line_rows import Unreadable
from app.domain.wording import say

COLUMNS = ["1", "2"]
"""The label, then the text: a file without a header has numbers for names."""

MIN_SHARE = 0.8
_PREFIX = "__label__"
_LINE = re.compile(rf"\s*((?:{_PREFIX}\S+\s+)*{_PREFIX}\S+)(?:\s+(.*))?", re.DOTALL)


def is_labelled(lines: Sequence[str]) -> bool:
    """Whether at least MIN_SHARE of the lines that are not blank begin with a label."""
    filled = [line for line in lines if line.strip()]
    return bool(filled) and sum(map(_begins, filled)) >= MIN_SHARE * len(filled)


def _begins(line: str) -> bool:
    return line.lstrip("\ufeff \t").startswith(_PREFIX)


def labelled_rows(lines: Iterable[str]) -> Iterator[list[str] | Unreadable]:
    """Label and text of each line; one with no label or with several is `Unreadable`, blank lines are no rows."""
    for line in lines:
        if not line.strip():
            continue
        match = _LINE.match(line.rstrip("\r\n"))
        if OVERLONG in line:
            yield Unreadable(say("longer than data.max_row_bytes, so it was not read"), "")
        elif match is None:
            yield Unreadable(say("it does not begin with {prefix}", prefix=_PREFIX), line[:80])
        elif len(labels := match[1].split()) > 1:
            yield Unreadable(say("it has {labels} labels, where one is expected", labels=len(labels)), line[:80])
        else:
            yield [labels[0].removeprefix(_PREFIX), match[2] or ""]
