"""Chosen files before they are stored: how they are read, what is wrong with them, what would be changed."""

from functools import partial

import streamlit as st

from app.client.endpoint import body_of
from app.domain.data_report import Finding
from app.domain.errors import AmbiguousColumns, InvalidInput, ModelUnusable, PlatformError
from app.schemas.data_fixes import Remedy
from app.schemas.datasets import ValidatedFile, ValidateForm
from app.ui.components import data_answers, drafts
from app.ui.components.data_changes import show_changes
from app.ui.components.data_reading import ROLES, choose_base_model, choose_column, read_differently
from app.ui.components.data_store import store
from app.ui.components.drafts import Draft
from app.ui.components.findings import show_detected, show_findings, title_of
from app.ui.components.profile_plots import label_shares
from app.ui.components.states import guarded, plain, show_error
from app.ui.context import Visitor
from app.ui.words import N_, Words

OF_BASE_MODEL = "language_mismatch"
"""What forbids training with one base model alone; nothing is wrong with the rows."""
_OFFERS: dict[Remedy, tuple[str, str, str]] = {
    "fix": (
        N_("Fix what can be fixed"),
        ":material/auto_fix_high:",
        N_("Repairs texts, unites spellings of labels and leaves out unusable and repeated rows, in the whole file."),
    ),
    "drop": (N_("Leave these rows out"), ":material/playlist_remove:", N_("Your file itself stays as it is.")),
    "mask": (N_("Mask it"), ":material/visibility_off:", N_("Addresses and numbers are replaced by a mark.")),
    "allow": (
        N_("Store it all the same"),
        ":material/done:",
        N_("Rows that cannot be used are left out of the training then; spellings stay labels of their own."),
    ),
}


def review(visitor: Visitor, draft: Draft) -> None:
    """Draw it for the files at hand."""
    t = visitor.t
    st.empty()  # in the place of the list, which would stay in sight while the file is checked
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(plain(draft.paths["train"].name), anchor=False)
        st.button(t("Choose another file"), icon=":material/undo:", on_click=drafts.forget)
    if draft.is_trying:
        with guarded():
            _try_out(visitor, draft)
        return
    with guarded():
        found = _as_asked(visitor, draft, mended=False)
        if found is None:
            return
        shown = found
        if draft.wishes()["fix"]:
            mended = _as_asked(visitor, draft, mended=True)
            if mended is None:
                return
            shown = mended
        _summary(shown, t)
        _show(visitor, draft, found, shown)
        blocking = {finding.code for finding in shown.findings if finding.severity == "error"}
        if OF_BASE_MODEL in blocking:
            st.info(
                t("Another base model may read these texts: store them, and choose it when you train."),
                icon=":material/translate:",
            )
        store(visitor, draft, is_ready=blocking <= {OF_BASE_MODEL})


def _try_out(visitor: Visitor, draft: Draft) -> None:
    """How the beginning of a large file is read; all of it is checked when that looks right."""
    t, beginning = visitor.t, draft.begin()
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.button(t("Check the whole file so"), type="primary", icon=":material/done_all:", on_click=draft.read_whole)
        st.markdown(t("It is large, so this is tried on its beginning alone."))
    try:
        form = body_of(ValidateForm, base_model=beginning.base_model, **draft.wishes(mended=False))
        found = data_answers.ask(visitor, beginning, form, ValidatedFile)
    except PlatformError as error:
        _explain(error, draft, t)
        return
    if found is not None:
        with st.expander(t("How your file was read"), icon=":material/table_view:", expanded=True):
            show_detected(found.detected, t)
        read_differently(draft, found.detected.columns, t)


def _as_asked(visitor: Visitor, draft: Draft, *, mended: bool) -> ValidatedFile | None:
    """What the platform says of the files as they are, or as they would be stored."""
    try:
        form = body_of(ValidateForm, base_model=draft.base_model, **draft.wishes(mended=mended))
        return data_answers.ask(visitor, draft, form, ValidatedFile)
    except PlatformError as error:
        _explain(error, draft, visitor.t)
        return None


def _explain(error: PlatformError, draft: Draft, t: Words) -> None:
    """What is wrong with the file as a whole; where it is the choice of a column, the choice."""
    if isinstance(error, AmbiguousColumns) and error.choices:
        st.info(t("Say which column is which, then the file can be checked."), icon=":material/help:")
        st.text(t.told(error.message))
        role = f"{error.role}_column"
        if role in ROLES:
            choose_column(draft, role, error.choices, t)
        read_differently(draft, (), t)
        return
    show_error(error, t)
    if isinstance(error, ModelUnusable):
        choose_base_model(draft, t)
    elif isinstance(error, InvalidInput):
        read_differently(draft, (), t)
    if len(draft.paths) > 1:
        _other_files(draft, t)


def _summary(report: ValidatedFile, t: Words) -> None:
    blocking = sum(finding.severity == "error" for finding in report.findings)
    with st.container(horizontal=True):
        st.metric(t("Rows"), t.number(report.rows), border=True)
        st.metric(t("Labels"), t.number(len(report.labels)), border=True)
        st.metric(t("Blocking"), t.number(blocking), border=True, help=t("Nothing is stored while there is one."))
        st.metric(t("Worth a look"), t.number(len(report.findings) - blocking), border=True)


def _show(visitor: Visitor, draft: Draft, found: ValidatedFile, shown: ValidatedFile) -> None:
    t = visitor.t
    with st.expander(t("How your file was read"), icon=":material/table_view:", expanded=not draft.remedies):
        show_detected(shown.detected, t)
    read_differently(draft, found.detected.columns, t)
    has_others = len(draft.paths) > 1
    with st.expander(t("Files of your own to measure on"), icon=":material/library_add:", expanded=has_others):
        _other_files(draft, t)
    if shown.labels:
        with st.expander(t("How many rows each label has"), icon=":material/bar_chart:"):
            label_shares(shown.labels, "label_rows", t)
    st.subheader(t("What was found"), anchor=False)
    choose_base_model(draft, t)
    if draft.remedies:
        _decisions(draft, shown, t)
    if not draft.wishes()["fix"] and any("fix" in remedies for remedies in found.remedies.values()):
        _offer_fix(draft, t)
    show_findings(shown.findings, t, partial(_offer, draft, shown, t))
    for title, report in ((N_("In the evaluation file"), shown.eval), (N_("In the test file"), shown.test)):
        if report is not None:
            st.subheader(t(title), anchor=False)
            show_findings(report.findings, t)


def _other_files(draft: Draft, t: Words) -> None:
    """Evaluation and test rows of their own."""
    parts = {"eval": N_("Evaluation rows of your own (optional)"), "test": N_("Test rows of your own (optional)")}
    for split, place in zip(parts, st.columns(2), strict=True):
        with place:
            if split in draft.paths:
                st.caption(t(parts[split]))
                st.text(draft.paths[split].name)
                st.button(
                    t("Take it out"), key=f"data_no_{split}", type="tertiary", on_click=_take_out, args=(draft, split)
                )
            elif picked := st.file_uploader(
                t(parts[split]),
                key=f"data_{split}",
                help=t("Without one, some rows are held out of your file to measure on."),
            ):
                draft.put(split, picked)
                st.rerun()


def _take_out(draft: Draft, split: str) -> None:
    draft.paths.pop(split, None)


def _offer(draft: Draft, report: ValidatedFile, t: Words, finding: Finding) -> None:
    """Buttons for what the platform can do about a finding."""
    possible = report.remedies.get(finding.code, [])
    offered = [one for one in possible if one != "fix" and (one, finding.code) not in draft.remedies]
    if not offered:
        return
    with st.container(horizontal=True):
        for remedy in offered:
            label, icon, about = _OFFERS[remedy]
            st.button(
                t(label),
                icon=icon,
                help=t(about),
                key=f"data_{remedy}_{finding.code}_{report.findings.index(finding)}",
                on_click=draft.remedies.append,
                args=((remedy, finding.code),),
            )


def _offer_fix(draft: Draft, t: Words) -> None:
    """One click for all that needs no decision."""
    label, icon, about = _OFFERS["fix"]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.button(
            t(label), type="primary", icon=icon, key="data_fix", on_click=draft.remedies.append, args=(("fix", ""),)
        )
        st.markdown(t(about))


def _decisions(draft: Draft, shown: ValidatedFile, t: Words) -> None:
    """What was decided, each with the way back, and what it changes."""
    with st.container(border=True):
        st.markdown(f"**{t('What you decided')}**")
        for decision in list(draft.remedies):
            remedy, code = decision
            label, icon, _ = _OFFERS[remedy]
            with st.container(horizontal=True, vertical_alignment="center"):
                about = "" if remedy == "fix" else f": {title_of(code, t)}"
                st.markdown(f"{icon} {t(label)}{plain(about)}")
                st.button(
                    t("Undo"),
                    key=f"data_undo_{remedy}_{code}",
                    type="tertiary",
                    on_click=draft.remedies.remove,
                    args=(decision,),
                )
        if shown.fixed is not None:
            show_changes(shown.fixed, t)
