"""The audit log: who did what, to search, to take along, and whether it is whole."""

import json
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import get_args

import streamlit as st

from app.domain.audit import AuditFilter
from app.schemas.audit import AuditItem, AuditVerification, Outcome
from app.ui.components.paging import Pager
from app.ui.components.states import empty, plain
from app.ui.context import Visitor
from app.ui.words import N_, Words

PAGE_SIZE = 50
OUTCOMES: dict[str, str] = {
    "success": N_("succeeded"),
    "denied": N_("was refused"),
    "failed": N_("failed"),
    "started": N_("began"),
}
assert set(OUTCOMES) == set(get_args(Outcome))
VERIFIED = "audit_verified"


def draw(visitor: Visitor) -> None:
    """Filters, events, export, verification."""
    t = visitor.t
    _verification(visitor)
    wanted = _wanted(t)
    pager = Pager("audit", wanted)
    with st.spinner(t("Loading…")):
        page = pager.page(lambda cursor: visitor.client.audit.page(wanted, limit=PAGE_SIZE, cursor=cursor))
    if not page.items:
        empty(t("No event is like that."), icon=":material/search_off:")
        return
    st.dataframe([_row(one, t) for one in page.items], hide_index=True, height="content", placeholder="–")
    pager.draw(page, t)
    with st.container(horizontal=True):
        for form in ("csv", "jsonl"):
            st.download_button(
                t("Download as {form}", form=form.upper()),
                data=partial(_exported, visitor, wanted, form),
                file_name=f"audit.{form}",
                icon=":material/download:",
                key=f"audit_{form}",
                on_click="ignore",
                help=t("All events that match, with their hashes."),
            )


def _wanted(t: Words) -> AuditFilter:
    hint = t("All of it, or its beginning and a *.").replace("*", "\\*")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        actor = st.text_input(t("Who"), key="audit_actor", persist_state="page", help=hint, width=170)
        action = st.text_input(
            t("Action"), key="audit_action", persist_state="page", help=hint, width=170, placeholder="experiment.*"
        )
        resource = st.text_input(
            t("On what"), key="audit_resource", persist_state="page", help=hint, width=210, placeholder="dataset:*"
        )
        outcome = st.selectbox(
            t("How it ended"), list(OUTCOMES), index=None, placeholder=t("any way"),
            format_func=lambda one: t(OUTCOMES[one]), key="audit_outcome", persist_state="page", width=170,
        )  # fmt: skip
        days = st.date_input(t("Days (UTC)"), value=[], key="audit_days", persist_state="page", width=240)
    first, last = (*days, None, None)[:2] if isinstance(days, tuple) else (days, None)
    return AuditFilter(
        actor=actor.strip() or None,
        action=action.strip() or None,
        resource=resource.strip() or None,
        outcome=outcome,
        since=_midnight(first),
        until=_midnight(last + timedelta(days=1)) if last else None,
    )


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None


def _row(one: AuditItem, t: Words) -> dict[str, object]:
    return {
        "#": one.id,
        t("When"): t.moment(one.time),
        t("Who"): one.actor,
        t("Action"): one.action,
        t("On what"): one.resource,
        t("How it ended"): t(OUTCOMES[one.outcome]),
        t("From"): one.ip,
        t("Details"): json.dumps(one.details, ensure_ascii=False) if one.details else None,
        t("Request"): one.request_id,
    }


def _exported(visitor: Visitor, wanted: AuditFilter, form: str) -> bytes:
    with visitor.client.audit.export(wanted, "csv" if form == "csv" else "jsonl") as pieces:
        return b"".join(pieces)


def _verification(visitor: Visitor) -> None:
    t = visitor.t
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(t("Every event carries the fingerprint of the one before, so a change shows."))
        if st.button(t("Check the whole log"), icon=":material/verified_user:"):
            with st.spinner(t("Checking…")):
                st.session_state[VERIFIED] = visitor.client.audit.verify()
    found: AuditVerification | None = st.session_state.get(VERIFIED)
    if found is None:
        return
    if found.ok:
        st.success(t("The log is whole: {count} events are as they were recorded.", count=t.number(found.events)),
                   icon=":material/verified:")  # fmt: skip
    else:
        st.error(t("The log is not as it was recorded."), icon=":material/gpp_bad:")
    for fault in found.faults:
        st.markdown(f"- {plain(t.told(fault.told('what')))}")
    if found.accepted:
        st.caption(t("What was wrong when an administrator sealed the log anew:"))
    for fault in found.accepted:
        st.markdown(f"- {plain(t.told(fault.told('what')))}")
    st.caption(t("Fingerprint of the last event; noted elsewhere, it shows a log that was replaced:"))
    st.code(found.head_hash, language=None, wrap_lines=True)
