"""Findings on what stands in the texts: damage, markup, odd lengths, another script, personal data."""

import math
import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from app.data import markup, mojibake, personal_data
from app.data.findings import MAX_EXAMPLES, Findings, rows_in_words
from app.data.languages import IDEOGRAPHIC, OTHER, language_of
from app.data.progress import counted
from app.data.readability import BaseTokenizer, read_by_script, too_long
from app.data.readers import Rows
from app.data.spool import select
from app.domain.wording import say

MIN_ROWS_TO_JUDGE_LENGTH = 20
OUTLIER_SCORE = 3.5
"""Modified z-score of the logarithm of the length (Iglewicz & Hoaglin 1993) beyond which a text is an outlier."""

OUTLIER_RATIO = 5
"""It must also be this many times longer or shorter than the median: lengths that vary little are no fault."""

MAIN_SCRIPT_SHARE = 0.2
"""A script is held against the base model when it has at least this share of the rows."""

MAX_UNKNOWN_SHARE = 0.2
"""Unknown tokens from which a model is blind: English word pieces do not know 69 % of Chinese, 0 % of French."""

MAX_TOKENS_PER_LETTER = 2.0
"""Tokens a letter from which it is: byte pairs made for English take Chinese apart into 2.6, Russian into 1.4."""

SPELLED_TOKENS_PER_LETTER = 0.9
"""An alphabet that is read letter by letter was hardly in what the model learnt from."""

FOREIGN_SHARE = 0.05
"""Rows in another script than most are named when they are at most this share; more is a bilingual set."""


def encoding_damage(findings: Findings, usable: list[int]) -> None:
    """Characters lost to a wrong encoding, UTF-8 read as Windows-1252, or letters that depend on a guess."""
    rows = findings.rows
    texts = rows.texts
    lost = [
        i for i in counted(usable, "lost characters", len(usable)) if "\ufffd" in texts[i] or "\ufffd" in rows.labels[i]
    ]
    if lost:
        findings.add(
            "encoding_damage",
            say("{rows} with characters lost to a wrong encoding (U+FFFD)", rows=rows_in_words(len(lost))),
            "save the source again as UTF-8",
            lost,
            examples=(_around(texts[i], lambda c: c == "\ufffd") for i in lost[:MAX_EXAMPLES]),
        )
    garbled = [
        i
        for i in counted(usable, "garbled characters", len(usable))
        if not (text := texts[i]).isascii() and mojibake.repair(text) != text
    ]
    if garbled:
        findings.add(
            "encoding_damage",
            say(
                "{rows} with UTF-8 that was once read as Windows-1252, as in 'â€™' for '’'",
                rows=rows_in_words(len(garbled)),
            ),
            "save the source again as UTF-8; a model trained on this meets other characters in use",
            garbled,
            examples=(_repair_shown(texts[i]) for i in garbled[:MAX_EXAMPLES]),
        )
    if rows.other_rows:
        places = _places(rows, islice(rows.other_rows, 10 * MAX_EXAMPLES))
        findings.add(
            "encoding_damage",
            say(
                "two encodings in one file, {rows} in the second: {reasons}",
                rows=rows_in_words(len(rows.other_rows)),
                reasons=rows.detected.reasons["encoding"],
            ),
            "look at the examples; if they are right, save the whole file as UTF-8",
            numbers=rows.other_rows,
            count=len(rows.other_rows),
            examples=(_around(texts[i], lambda c: ord(c) > 127) for i in places if not texts[i].isascii()),
        )
    if not lost and not garbled and rows.detected.encoding in ("cp1252", "latin-1"):
        doubtful = [i for i in usable if not texts[i].isascii()]
        if doubtful:
            findings.add(
                "encoding_damage",
                say(
                    "the file is not UTF-8 and was read as {encoding}; {rows} with letters that depend on it",
                    encoding=rows.detected.encoding,
                    rows=rows_in_words(len(doubtful)),
                ),
                "look at the examples; if they are wrong, save the file as UTF-8",
                doubtful,
                examples=(_around(texts[i], lambda c: ord(c) > 127) for i in doubtful[:MAX_EXAMPLES]),
            )


def _places(rows: Rows, numbers: Iterable[int]) -> Iterator[int]:
    """Where rows with these numbers are in the lists of `rows`, as far as they could be read."""
    for number in numbers:
        place = bisect_left(rows.numbers, number)
        if place < len(rows.numbers) and rows.numbers[place] == number:
            yield place


def _around(text: str, wanted: Callable[[str], bool]) -> str:
    at = next((place for place, char in enumerate(text) if wanted(char)), 0)
    return text[max(0, at - 20) : at + 20]


def _repair_shown(text: str) -> str:
    whole = mojibake.repair(text)
    at = next(place for place, (a, b) in enumerate(zip(text, whole + "\0", strict=False)) if a != b)
    return f"{text[max(0, at - 12) : at + 16]} -> {whole[max(0, at - 12) : at + 14]}"


def html_residue(findings: Findings, usable: list[int]) -> None:
    """Tags and entities of HTML."""
    texts = findings.rows.texts
    marked = [i for i in counted(usable, "markup", len(usable)) if markup.find(texts[i])]
    if marked:
        findings.add(
            "encoding_damage",
            say(
                "{rows} with HTML left in the text (tags such as <br>, entities such as &amp;)",
                rows=rows_in_words(len(marked)),
            ),
            "take the markup out (--fix does); the model spends its tokens on it, and in use it may not be there",
            marked,
            examples=(_around_markup(texts[i]) for i in marked[:MAX_EXAMPLES]),
        )


def _around_markup(text: str) -> str:
    match = markup.find(text)
    at = match.start() if match else 0
    return text[max(0, at - 20) : at + 40]


def length_outliers(findings: Findings, usable: list[int]) -> None:
    """Texts far longer or shorter than the others, by characters."""
    if len(usable) < MIN_ROWS_TO_JUDGE_LENGTH:
        return
    lengths = [len(findings.rows.texts[i]) for i in counted(usable, "lengths", len(usable))]
    logs = [math.log(length) for length in lengths]
    middle = statistics.median(logs)
    spread = max(statistics.median(abs(x - middle) for x in logs), 1e-9)
    far = max(OUTLIER_SCORE * spread / 0.6745, math.log(OUTLIER_RATIO))
    odd = [(i, n) for i, n, x in zip(usable, lengths, logs, strict=True) if abs(x - middle) > far]
    if odd:
        typical = round(math.exp(middle))
        longest, shortest = max(n for _, n in odd), min(n for _, n in odd)
        extremes = [say("longest {count:,}", count=longest)] if longest > typical else []
        if shortest < typical:
            extremes.append(say("shortest {count:,}", count=shortest))
        findings.add(
            "length_outlier",
            say(
                "{rows} of very unlike length ({extremes}; half of all have {typical:,} characters or fewer)",
                rows=rows_in_words(len(odd)),
                extremes=extremes,
                typical=typical,
            ),
            "look at them: several texts run together, or something cut off? a long one costs time in its whole batch",
            [i for i, _ in odd],
            examples=(
                say("{count:,} characters: {text}", count=n, text=findings.rows.texts[i]) for i, n in odd[:MAX_EXAMPLES]
            ),
        )


def foreign_scripts(findings: Findings, usable: list[int]) -> None:
    """A few rows in another script than nearly all the others."""
    scripts = [language_of(findings.rows.texts[i]) for i in counted(usable, "scripts", len(usable))]
    counts = Counter(scripts)
    counts.pop(OTHER, None)
    if len(counts) < 2:
        return
    main = counts.most_common(1)[0][0]
    strange = [(i, script) for i, script in zip(usable, scripts, strict=True) if script not in (main, OTHER)]
    if len(strange) > FOREIGN_SHARE * len(usable):
        return
    what = [
        say("{script} {count:,}", script=say(script), count=count)
        for script, count in counts.most_common()
        if script != main
    ]
    findings.add(
        "language_mismatch",
        say(
            "{rows} in another script than the rest, which is {main}: {what}",
            rows=rows_in_words(len(strange)),
            main=say(main),
            what=what,
        ),
        "remove or translate them, or take a multilingual base model; one that cannot read them learns noise",
        [i for i, _ in strange],
        examples=(
            say("{script}: {text}", script=say(script), text=findings.rows.texts[i])
            for i, script in strange[:MAX_EXAMPLES]
        ),
    )


def unreadable_scripts(findings: Findings, usable: list[int], base: BaseTokenizer) -> None:
    """Scripts of a good part of the rows that the base model's tokenizer takes apart or does not know."""
    readings = read_by_script(select(findings.rows.texts, usable), base)
    for script, reading in readings.items():
        if len(reading.rows) < MAIN_SCRIPT_SHARE * len(usable):
            continue
        blind = reading.unknown_share >= MAX_UNKNOWN_SHARE or reading.tokens_per_letter >= MAX_TOKENS_PER_LETTER
        spelling = script not in IDEOGRAPHIC and reading.tokens_per_letter >= SPELLED_TOKENS_PER_LETTER
        if not (blind or spelling):
            continue
        other = "bert-base-chinese" if script == "Chinese" else "distilbert-base-multilingual-cased"
        indices = [usable[place] for place in reading.rows]
        findings.add(
            "language_mismatch",
            say(
                ("{name} cannot read {rows} in {script}: " if blind else "{name} only spells {rows} in {script}: ")
                + "{unknown_share:.0%} of the tokens are unknown to it, {tokens_per_letter:.1f} tokens a letter",
                name=base.name,
                rows=rows_in_words(len(indices)),
                script=say(script),
                unknown_share=reading.unknown_share,
                tokens_per_letter=reading.tokens_per_letter,
            ),
            say("take a base model that reads it: model.name={other}", other=other),
            indices,
            examples=(findings.rows.texts[i] for i in indices[:MAX_EXAMPLES]),
            blocking=blind,
        )


def truncated(findings: Findings, usable: list[int], base: BaseTokenizer) -> None:
    """Texts of more tokens than the base model reads or the configuration allows."""
    cut, num_seen = too_long(select(findings.rows.texts, usable), base)
    if cut:
        indices = [usable[place] for place in cut]
        texts = findings.rows.texts
        findings.add(
            "truncated",
            say(
                "{rows} of {num_seen:,} ({share:.1%}) have more than the {max_length:,} tokens that "
                "{name} is to read; what comes after is not seen",
                rows=rows_in_words(len(cut)),
                num_seen=num_seen,
                share=len(cut) / num_seen,
                max_length=base.max_length,
                name=base.name,
            ),
            "put what decides the label first or divide these texts; raise model.max_length where the model reads more",
            indices,
            examples=(
                say("{count:,} characters: {text}", count=len(texts[i]), text=texts[i]) for i in indices[:MAX_EXAMPLES]
            ),
        )


def personal_texts(findings: Findings, usable: list[int]) -> None:
    """E-mail addresses, telephone, card and id numbers; the examples are masked."""
    texts = findings.rows.texts
    kinds_of = {
        i: kinds
        for i in counted(usable, "personal data", len(usable))
        if (kinds := {datum.kind for datum in personal_data.find(texts[i])})
    }
    found = list(kinds_of)
    if found:
        counts = Counter(kind for i in found for kind in kinds_of[i])
        what = [
            say("{kind} in {rows}", kind=say(kind), rows=rows_in_words(count)) for kind, count in counts.most_common()
        ]
        findings.add(
            "personal_data",
            say("{rows} with what looks like personal data: {what}", rows=rows_in_words(len(found)), what=what),
            "mask or remove them where you may not keep them; an adapter and its record carry the texts on",
            found,
            examples=(_masked_excerpt(texts[i]) for i in found[:MAX_EXAMPLES]),
        )


def _masked_excerpt(text: str) -> str:
    start = personal_data.find(text)[0].start
    return personal_data.mask(text)[max(0, start - 25) : start + 50]
