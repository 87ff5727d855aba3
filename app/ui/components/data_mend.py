"""A stored version once more as files at hand: to mend it, and store what comes of it as the next version."""

import streamlit as st

from app.schemas.datasets import DatasetView, VersionItem
from app.ui.components import drafts
from app.ui.components.drafts import Draft
from app.ui.context import Visitor


def offer_mending(visitor: Visitor, found: DatasetView, version: VersionItem) -> None:
    """The button; each change is shown before the next version is stored."""
    t = visitor.t
    st.caption(t("This version stays as it is. What you fix becomes the next one, and you see each change first."))
    if not st.button(t("Fix it in a new version"), icon=":material/auto_fix_high:", key="data_mend"):
        return
    draft = Draft(name=found.name)
    with st.spinner(t("Loading…")):
        for split in ("train", "eval", "test"):
            if split in version.splits:
                target = draft.place(split, f"{version.reference}-{split}.jsonl")
                visitor.client.datasets.export(found.name, version.version, target, format_="jsonl", split=split)
    draft.columns = {"text_column": "text", "label_column": "label"}
    drafts.keep(draft)
    st.query_params.clear()
    st.rerun()
