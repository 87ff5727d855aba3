"""What is wrong with a data set: each finding with its rows, what it costs and what to do; how a file was read."""

from collections.abc import Callable, Sequence

import streamlit as st

from app.domain.data_report import Detected, Finding
from app.ui.components.finding_words import TITLES
from app.ui.words import N_, Words

_SETTINGS = {
    "format": N_("Format"),
    "encoding": N_("Encoding"),
    "delimiter": N_("Separator"),
    "header": N_("Header line"),
    "text_column": N_("Text column"),
    "label_column": N_("Label column"),
}
_SEPARATORS = {"\t": N_("tab"), " ": N_("space")}
MAX_ROWS_SHOWN = 20


def title_of(code: str, t: Words) -> str:
    """What a kind of finding is called."""
    return t(TITLES[code]) if code in TITLES else code


def show_findings(
    findings: Sequence[Finding], t: Words, offer: Callable[[Finding], None] = lambda _finding: None
) -> None:
    """All findings, those that block first; `offer` may add to each what can be done about it."""
    if not findings:
        st.success(t("Nothing was found that would harm a training."), icon=":material/check_circle:")
        return
    for finding in findings:
        with st.container(border=True):
            show_finding(finding, t)
            offer(finding)


def show_finding(finding: Finding, t: Words) -> None:
    """One finding; its words come from the file in part, so none of them is Markdown."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if finding.severity == "error":
            st.badge(t("Blocks training"), icon=":material/block:", color="red")
        else:
            st.badge(t("Worth a look"), icon=":material/visibility:", color="orange")
        st.markdown(f"**{title_of(finding.code, t)}**")
    st.text(t.told(finding.told("message")))
    facts = {t("What it costs"): finding.told("cost"), t("What to do"): finding.told("fix")}
    given = {name: sentence for name, sentence in facts.items() if sentence}
    for place, (name, sentence) in zip(st.columns(len(given), gap="medium"), given.items(), strict=True):
        with place.container(gap="xxsmall"):
            st.caption(name)
            st.text(t.told(sentence))
    if finding.rows or finding.examples:
        with st.expander(t("Rows and examples")):
            _show_rows(finding, t)


def _show_rows(finding: Finding, t: Words) -> None:
    if finding.rows:
        named = ", ".join(t.number(row) for row in finding.rows[:MAX_ROWS_SHOWN])
        st.text(t("Rows {rows}", rows=named + (" …" if finding.count > MAX_ROWS_SHOWN else "")))
    if finding.examples:
        told = [t.told(text, finding.said.get(f"examples.{place}")) for place, text in enumerate(finding.examples)]
        st.dataframe({t("Example"): told}, hide_index=True)


def show_detected(detected: Detected, t: Words) -> None:
    """How a file was read, and why so; its first rows as they were understood."""
    settings = []
    for name, title in _SETTINGS.items():
        value = getattr(detected, name)
        reason = t.told(detected.reasons.get(name, ""), detected.said.get(f"reasons.{name}"))
        if value is not None or reason:
            settings.append({t("Read as"): t(title), t("Value"): _shown(value, t), t("Because"): reason})
    st.dataframe(settings, hide_index=True, column_config={t("Because"): st.column_config.TextColumn(width="large")})
    show_preview(detected, t)


def show_preview(detected: Detected, t: Words) -> None:
    """The first rows."""
    if detected.preview:
        st.caption(t("The first rows, as they were understood"))
        rows = [{t("Row"): row.row, t("Label"): row.label, t("Text"): row.text} for row in detected.preview]
        st.dataframe(rows, hide_index=True, column_config={t("Text"): st.column_config.TextColumn(width="large")})


def _shown(value: object, t: Words) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return t("yes") if value else t("no")
    return t(_SEPARATORS[value]) if isinstance(value, str) and value in _SEPARATORS else str(value)
