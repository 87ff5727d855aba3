"""A profile as one self-contained HTML page; every text in it is the user's data and is escaped by jinja2."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from app.data.profiling.pictures import NUM_COLOURS, draw_histogram, draw_map, draw_outlines, style_of
from app.domain.data_profile import DataProfile, LengthSummary, MarkingWord
from app.reporting import pages
from app.reporting.formats import count, excerpt, percent

TEMPLATES = Path(__file__).parent / "templates"
MAX_LABELS = 16
"""Labels shown at once; the others unfold."""

MAX_LISTED = 500
"""Labels of which the page says anything; the others are only counted."""

MAX_SEGMENTS = 60
MAX_EXAMPLE_LABELS = 6
MAX_SCRIPT_LABELS = 12
EVEN, UNEVEN = 0.95, 0.75
"""Entropies from which labels are called even, and below which uneven."""


def _verdict(profile: DataProfile) -> tuple[str, str, str]:
    """Tone, the sentence on top, and the one below it."""
    texts, labels, balance = f"{profile.rows:,} texts", len(profile.classes), profile.balance
    if labels == 1:
        return (
            "bad",
            f"{texts}, all with one label.",
            "There is nothing to tell apart: training needs two labels.",
        )
    if balance.entropy >= EVEN:
        tone, words = "good", "evenly spread"
    elif balance.entropy >= UNEVEN:
        tone, words = "warn", "somewhat uneven"
    else:
        tone, words = "bad", "very uneven"
    most = excerpt(profile.classes[0].label, 40)
    below = f"Always answering “{most}” is right for {percent(balance.majority_share)}: a model must beat that."
    if balance.ratio >= 1.05:
        below += f" The most frequent label has {balance.ratio:,.1f} times the texts of the rarest."
    return tone, f"{texts} in {labels:,} labels, {words}.", below


def _lengths(profile: DataProfile) -> tuple[str, LengthSummary]:
    """Tokens where they were counted, else characters: the unit and the lengths of all texts."""
    return ("tokens", profile.tokens) if profile.tokens else ("characters", profile.characters)


def _takeaways(profile: DataProfile) -> list[tuple[str, str]]:
    unit, lengths = _lengths(profile)
    counted = f"{unit} of {profile.tokens_by}" if unit == "tokens" else unit
    half, most = count(lengths.percentiles[50]), count(lengths.percentiles[95])
    length = f"Half of the texts have up to {half} {counted}, 95 % up to {most}; the longest has {lengths.max:,}."
    exact, near = profile.duplicate_share, profile.near_duplicate_share
    again = f"{percent(exact)} of the texts were there before, word for word; {percent(near)} nearly so."
    return [("Length", length), ("Repetition", again if exact or near else "No text is there twice, not even nearly.")]


def _tiles(profile: DataProfile) -> list[dict[str, str]]:
    words, (unit, lengths) = profile.vocabulary, _lengths(profile)
    language, rows = next(iter(profile.scripts.items()))
    once = f"{words.unit}, {percent(words.hapaxes / words.size)} of them said once" if words.size else "no words"
    tiles = [
        {"name": "Texts", "value": count(profile.rows), "note": f"{len(profile.classes):,} labels"},
        {
            "name": "Median length",
            "value": count(lengths.percentiles[50]),
            "unit": unit,
            "note": f"99 % up to {count(lengths.percentiles[99])}",
        },
        {"name": "Vocabulary", "value": count(words.size), "note": once},
        {"name": "New words", "value": percent(words.new_share), "note": "of the second half, unknown to the first"},
        {"name": "Repeated", "value": percent(profile.duplicate_share), "note": "texts that were there before"},
        {"name": "Language", "value": language, "note": f"{percent(rows / profile.rows)} of the texts"},
    ]
    return [{"unit": "", **tile} for tile in tiles]


def _segments(profile: DataProfile) -> list[dict[str, Any]]:
    """The bar of all labels: the first of them one by one, the rest as one."""
    shown, rest = profile.classes[:MAX_SEGMENTS], profile.classes[MAX_SEGMENTS:]
    parts = [
        {"style": style_of(place), "rows": one.rows, "tip": f"{excerpt(one.label, 60)}: {one.rows:,} texts"}
        for place, one in enumerate(shown)
    ]
    if rest:
        rows = sum(one.rows for one in rest)
        parts.append({"style": "rest", "rows": rows, "tip": f"{len(rest):,} more labels: {rows:,} texts"})
    return parts


def _label_rows(profile: DataProfile) -> list[dict[str, Any]]:
    """Each label with its bar and the span of its lengths, in percent of the widest."""
    most = profile.classes[0].rows
    listed = [(one, one.tokens if profile.tokens else one.characters) for one in profile.classes[:MAX_LISTED]]
    widest = max((lengths.percentiles[95] for _, lengths in listed if lengths), default=0.0) or 1.0
    return [
        {
            "one": one,
            "style": style_of(place),
            "fill": round(100 * one.rows / most, 1),
            "p": lengths.percentiles if lengths else None,
            "at": {rank: round(100 * at / widest, 1) for rank, at in (lengths.percentiles if lengths else {}).items()},
        }
        for place, (one, lengths) in enumerate(listed)
    ]


def _charts(profile: DataProfile) -> list[tuple[str, Markup, bool]]:
    """Title, picture and whether its colours are those of the labels."""
    by_label = 2 <= len(profile.classes) <= NUM_COLOURS
    charts = [("Characters", draw_histogram(profile.characters, profile.character_bins, "characters"), False)]
    if profile.tokens:
        charts.append(("Tokens", draw_histogram(profile.tokens, profile.token_bins, "tokens"), False))
    if by_label and profile.tokens:
        charts.append(("Tokens, label by label", draw_outlines(profile.classes, profile.token_bins, "tokens"), True))
    if by_label:
        outlines = draw_outlines(profile.classes, profile.character_bins, "characters")
        charts.insert(1 if not profile.tokens else 2, ("Characters, label by label", outlines, True))
    return charts


def _sized(words: list[MarkingWord]) -> list[dict[str, Any]]:
    """Words with a size from 1 to 4 by how strongly they mark the label."""
    strongest = words[0].z if words else 1.0
    return [{"found": word, "size": 1 + min(3, int(4 * word.z / strongest - 1e-9))} for word in words]


def _worded(profile: DataProfile) -> list[dict[str, Any]]:
    return [
        {"label": one.label, "style": style_of(place), "words": _sized(one.words)}
        for place, one in enumerate(profile.classes)
        if one.words
    ]


def _scripts_by_label(profile: DataProfile) -> list[dict[str, Any]]:
    """For a few labels the parts of each script, where there is more than one script."""
    if len(profile.scripts) < 2 or len(profile.classes) < 2:
        return []
    names = list(profile.scripts)
    return [
        {
            "label": one.label,
            "parts": [
                {"style": style_of(names.index(name)), "rows": rows, "tip": f"{name}: {rows:,} texts"}
                for name, rows in sorted(one.scripts.items(), key=lambda item: names.index(item[0]))
            ],
        }
        for one in profile.classes[:MAX_SCRIPT_LABELS]
    ]


def _facts(profile: DataProfile) -> list[tuple[str, str]]:
    words = profile.vocabulary
    facts = [
        ("read", f"{profile.rows:,} texts: labels, characters, languages and repetitions of every one"),
        ("words", f"counted on {words.rows:,} texts, the first 1,000 characters of each"),
    ]
    if profile.tokens_by:
        tokens = f"of {profile.tokens_by}, special ones included, counted on {profile.token_rows:,} texts"
        facts.append(("tokens", tokens))
    facts.append(("like and unlike texts", f"compared by {profile.examples_by}"))
    if profile.map:
        facts.append(("map", f"{len(profile.map.points):,} texts, compared by {profile.map.vectors}; t-SNE"))
    masked = "e-mail addresses, telephone, card and national id numbers are masked in every text shown"
    return [*facts, ("personal data", masked)]


def render_page(profile: DataProfile, name: str) -> str:
    """The whole page as HTML; `name` is what it calls the data. The same profile always gives the same page."""
    tone, verdict, below = _verdict(profile)
    labels = [one.label for one in profile.classes]
    on_map = sorted({point.label for point in profile.map.points})[:MAX_LISTED] if profile.map else []
    return pages.render(
        TEMPLATES,
        "profile.html.j2",
        name=name,
        profile=profile,
        tone=tone,
        verdict=verdict,
        below=below,
        takeaways=_takeaways(profile),
        tiles=_tiles(profile),
        segments=_segments(profile),
        label_rows=_label_rows(profile),
        max_labels=MAX_LABELS,
        num_unlisted=len(labels) - min(len(labels), MAX_LISTED),
        length_unit=_lengths(profile)[0],
        charts=_charts(profile),
        colour_legend=[(excerpt(label, 40), style_of(place)) for place, label in enumerate(labels[:NUM_COLOURS])],
        worded=_worded(profile),
        map_picture=draw_map(profile.map, [excerpt(label, 60) for label in labels]) if profile.map else None,
        map_labels=[{"number": i, "label": labels[i], "style": style_of(i)} for i in on_map],
        examples=[(one, style_of(place)) for place, one in enumerate(profile.classes) if one.typical],
        max_example_labels=MAX_EXAMPLE_LABELS,
        script_rows=[(*item, style_of(place)) for place, item in enumerate(profile.scripts.items())],
        scripts_by_label=_scripts_by_label(profile),
        facts=_facts(profile),
    )
