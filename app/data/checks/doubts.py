"""Findings on labels that are probably wrong."""

import shlex
from collections.abc import Sequence

import numpy as np

from app.data.findings import MAX_EXAMPLES, Findings, rows_in_words
from app.data.label_errors import STRONG_ODDS, suspects
from app.data.labels import label_order
from app.data.out_of_fold import out_of_fold
from app.data.profiling.sampling import spread
from app.data.spool import select
from app.domain.wording import say

MIN_ROWS = 30
"""Fewer teach a model nothing that could be held against a label."""

MIN_ROWS_A_LABEL = 5
MAX_CELLS = 300_000
"""Rows times labels that are judged: a few seconds. `finetune data label-errors` judges all."""

MAX_ROWS = 10_000
MAX_CHARS = 2_000_000


def suspected_label_errors(findings: Findings, usable: list[int], labels: Sequence[str]) -> None:
    """Rows whose label a model that has not seen them doubts strongly; of many rows a sample is judged.

    Nothing is said of data too small, or of too many labels, to judge within seconds.
    """
    names = label_order(labels)
    if len(usable) < max(MIN_ROWS, MIN_ROWS_A_LABEL * len(names)) or len(names) < 2:
        return
    num_chars = sum(len(findings.rows.texts[usable[int(i)]]) for i in spread(len(usable), 1000))
    mean_chars = max(1, num_chars // min(1000, len(usable)))
    places = [int(i) for i in spread(len(usable), min(MAX_ROWS, MAX_CELLS // len(names), MAX_CHARS // mean_chars))]
    if len(places) < MIN_ROWS_A_LABEL * len(names):
        return
    ids = {name: number for number, name in enumerate(names)}
    given = np.array([ids[labels[place]] for place in places], np.int64)
    texts = list(select(findings.rows.texts, [usable[place] for place in places]))
    doubted = suspects(given, out_of_fold(texts, given, len(names)), len(names))
    strong = [one for one in doubted if one.odds <= STRONG_ODDS]
    if not strong:
        return
    judged = say(" of {count:,} that were judged", count=len(places)) if len(places) < len(usable) else ""
    findings.add(
        "suspected_label_error",
        say(
            "{rows}{judged} whose label is probably wrong: a model that has not seen them gives "
            "at least {odds:.0f} to 1 for another ({doubted:,} with weaker doubts)",
            rows=rows_in_words(len(strong)),
            judged=judged,
            odds=1 / STRONG_ODDS,
            doubted=len(doubted),
        ),
        say(
            "look at them, worst first: finetune data label-errors {file} --review",
            file=shlex.quote(findings.rows.file),
        ),
        [usable[places[one.row]] for one in strong],
        examples=(
            say(
                "{given}, rather {other}: {text}",
                given=names[one.given],
                other=names[one.suggested],
                text=texts[one.row],
            )
            for one in strong[:MAX_EXAMPLES]
        ),
    )
