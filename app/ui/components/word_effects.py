"""Which words mattered for an answer: marked in the text, and as numbers."""

from html import escape

import streamlit as st

from app.schemas.inference import ExplainResponse, WordEffect
from app.ui.components import figures
from app.ui.components.states import plain
from app.ui.words import Words

_FOR, _AGAINST = "light-dark(#2457d6,#7ea6ff)", "light-dark(#c4570a,#ffa057)"
"""Blue and orange are told apart by colour-blind readers; the lines below the words are of two kinds besides."""
SMALLEST, SMALLEST_SHARE = 0.005, 0.1
"""Effects below half a point of the probability, or a tenth of the largest, are not marked."""
STRONGEST_PERCENT = 45
_TEXT = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:2;margin:.25rem 0"


def word_effects(found: ExplainResponse, text: str, t: Words) -> None:
    """The text with its words marked, what the marks mean, how sure that is, and the numbers."""
    label = plain(found.label_name)
    st.markdown(f"**{t('Which words mattered (an estimate)')}**")
    st.html(f'<p style="{_TEXT}">{marked(found, text)}</p>')
    st.caption(
        t(
            "Blue with a solid line speaks for “{label}”, orange with a dotted line against it. Each word was left out "
            "once; what only matters together does not show.",
            label=label,
        )
    )
    if len(found.words) < found.num_words:
        shown, total = t.number(len(found.words)), t.number(found.num_words)
        st.caption(t("The first {shown} of the {all} words it reads were looked at.", shown=shown, all=total))
    word, effect = t("Word"), t("Probability lost without it")
    rows = [{word: one.text, effect: one.effect} for one in sorted(found.words, key=lambda one: abs(one.effect))[::-1]]
    if rows:
        with st.expander(t("The numbers behind it"), icon=":material/table:"):
            columns = {effect: st.column_config.NumberColumn(format="percent")}
            figures.table(rows, f"{found.model}-words", t, columns)


def marked(found: ExplainResponse, text: str) -> str:
    """HTML of the text as far as it was looked at, every piece of it escaped."""
    largest = max((abs(one.effect) for one in found.words), default=0.0)
    parts, done = [], 0
    for one in found.words:
        parts += [escape(text[done : one.start]), _mark(one, text[one.start : one.end], largest)]
        done = one.end
    is_whole = len(found.words) == found.num_words and not found.truncated
    parts.append(escape(text[done:]) if is_whole else " …")
    return "".join(parts)


def _mark(one: WordEffect, word: str, largest: float) -> str:
    if abs(one.effect) < max(SMALLEST, SMALLEST_SHARE * largest):
        return escape(word)
    colour, line = (_FOR, "solid") if one.effect > 0 else (_AGAINST, "dotted")
    strength = round(STRONGEST_PERCENT * abs(one.effect) / largest)
    style = (
        f"color:inherit;background:color-mix(in srgb,{colour} {strength}%,transparent);"
        f"border-bottom:3px {line} {colour};border-radius:.2rem;padding:.1rem .05rem"
    )
    return f'<mark title="{100 * one.effect:+.1f}" style="{style}">{escape(word)}</mark>'
