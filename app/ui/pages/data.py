"""Data: files in, checked before they are stored; one's data sets and those shared with one."""

import streamlit as st

from app.schemas.datasets import DatasetItem
from app.ui import uploads
from app.ui.components import drafts
from app.ui.components.data_review import review
from app.ui.components.data_versions import draw_data_set
from app.ui.components.drafts import Draft
from app.ui.components.links import here
from app.ui.components.paging import Pager
from app.ui.components.states import empty, guarded, plain
from app.ui.context import Visitor

KINDS = ["csv", "tsv", "jsonl", "json", "parquet", "txt", "xlsx", "zip", "gz"]
PAGE_SIZE = 20


def draw(visitor: Visitor) -> None:
    """Draw one data set, the files at hand, or the list."""
    t, name = visitor.t, st.query_params.get("dataset")
    if name:
        draw_data_set(visitor, name)
        return
    st.title(t("Data"), anchor=False)
    draft = drafts.current()
    if draft is not None:
        review(visitor, draft)
        return
    with st.container():
        if visitor.may("dataset:write"):
            _upload(visitor)
        with guarded():
            _list(visitor)


def _upload(visitor: Visitor) -> None:
    t = visitor.t
    with st.container(border=True):
        st.subheader(t("Bring your texts"), anchor=False)
        st.markdown(t("A table with one example a row: a **text**, and the **label** a model shall learn to give it."))
        picked = st.file_uploader(
            t("Drop a file here, or choose one"),
            type=KINDS,
            key="data_file",
            help=t("It is checked first. Nothing is stored before you say so."),
        )
        most = uploads.max_bytes()
        if most is not None:
            st.caption(t("A file of up to {size}; pack a larger one (zip, gz), or divide it.", size=t.size(most)))
        if picked is not None:
            draft = Draft()
            draft.put("train", picked)
            drafts.keep(draft)
            st.rerun()


def _list(visitor: Visitor) -> None:
    t, pager = visitor.t, Pager("data_sets")
    st.subheader(t("Your data sets, and those shared with you"), anchor=False)
    with st.spinner(t("Loading…")):
        page = pager.page(lambda cursor: visitor.client.datasets.page(limit=PAGE_SIZE, cursor=cursor))
    if not page.items:
        hint = t("Drop a file above, and it becomes your first one.") if visitor.may("dataset:write") else ""
        empty(t("There is no data set yet."), hint, ":material/database:")
        return
    for item in page.items:
        _row(visitor, item)
    pager.draw(page, t)


def _row(visitor: Visitor, item: DatasetItem) -> None:
    t = visitor.t
    with st.container(border=True):
        name, what, whose = st.columns([4, 4, 3], vertical_alignment="center")
        with name:
            here(item.name, f"data_open_{item.name}", icon=":material/database:", dataset=item.name)
        if item.latest is None:
            what.caption(t("Its first version is being made."))
        else:
            labels = t.number(len(item.latest.labels))
            rows = t("{rows} rows, {labels} labels", rows=t.number(item.latest.rows), labels=labels)
            what.caption(f"{rows} · {t('{count} versions', count=t.number(item.num_versions))}")
        mine = item.owner == visitor.me.username
        owner = t("yours") if mine else t("of {owner}", owner=plain(item.owner or t("the installation")))
        whose.caption(owner + (f" · {t.ago(item.latest.created_at)}" if item.latest else ""))
