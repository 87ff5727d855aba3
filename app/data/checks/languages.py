"""Findings on the language of the texts beside that of the base model, where both have the same script."""

from app.data.findings import MAX_EXAMPLES, Findings
from app.data.language_names import OTHER, language_name
from app.data.languages import language_of
from app.data.profiling.sampling import spread
from app.data.readability import BaseTokenizer
from app.domain.base_models import describe
from app.domain.wording import say

MAX_JUDGED = 500
MIN_JUDGED = 30
MIN_SHARE = 0.6
"""Of the texts judged, in one language that is not the base model's: short texts are often taken for another."""


def foreign_language(findings: Findings, usable: list[int], base: BaseTokenizer) -> None:
    """Most texts in another language than the base model was pretrained on, in the same script."""
    expected = describe(base.name).language
    if expected != "English" or len(usable) < MIN_JUDGED:
        return
    texts = findings.rows.texts
    places = [usable[int(place)] for place in spread(len(usable), MAX_JUDGED)]
    found = {i: language_name(texts[i]) for i in places if language_of(texts[i]) == "Latin script"}
    for language in set(found.values()) - {expected, OTHER}:
        rows = [i for i, name in found.items() if name == language]
        if len(rows) < max(MIN_JUDGED // 2, MIN_SHARE * len(places)):
            continue
        findings.add(
            "language_mismatch",
            say(
                "{name} was pretrained on {expected}, and {rows:,} of {places:,} texts looked at seem to be {language}",
                name=base.name,
                expected=say(expected),
                rows=len(rows),
                places=len(places),
                language=say(language),
            ),
            "take a base model that knows the language: model.name=distilbert-base-multilingual-cased",
            rows,
            examples=(texts[i] for i in rows[:MAX_EXAMPLES]),
        )
