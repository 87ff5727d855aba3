"""Every row of a file labelled by a finished run: sent to a worker from here, fetched on the page of its task."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import streamlit as st

from app.client.connection import new_key
from app.schemas.predictions import PredictForm, PredictionResult
from app.schemas.tasks import TaskView
from app.ui import uploads
from app.ui.components import artifacts
from app.ui.components.drafts import safe_name, watched
from app.ui.components.links import go, link
from app.ui.components.states import plain
from app.ui.context import Visitor

KINDS = ["csv", "tsv", "jsonl", "json", "parquet", "xlsx", "txt", "zip", "gz"]
_KEYS = "try:file_keys"


def label_a_file(visitor: Visitor, run: str) -> None:
    """The file, its column of texts, and the button; leads to the task that labels it."""
    t = visitor.t
    if not visitor.may("train"):
        st.caption(t("Your account may not start work on the platform; ask about single texts instead."))
        return
    st.markdown(
        t("Every row gets the label that {run} gives it, and keeps its other columns.", run=f"**{plain(run)}**")
    )
    picked = st.file_uploader(t("A table with a column of texts"), type=KINDS, key="try:file")
    column = st.text_input(
        t("Column of the texts"),
        key="try:column",
        max_chars=200,
        placeholder=t("found by itself"),
        help=t("Its name or its number. Leave it empty where there is no doubt."),
        persist_state="page",
    )
    label = t("Label every row")
    if st.button(label, type="primary", icon=":material/label:", disabled=picked is None) and picked is not None:
        form = PredictForm(run=run, text_column=column.strip() or "auto")
        go("tasks", task=_submit(visitor, form, picked))


def _submit(visitor: Visitor, form: PredictForm, picked: Any) -> str:
    """The id of the task; a second click on the same file gives the same."""
    t = visitor.t
    keys: dict[tuple[str, str], str] = st.session_state.setdefault(_KEYS, {})
    key = keys.setdefault((picked.file_id, form.model_dump_json()), new_key())
    with TemporaryDirectory(prefix="finetune-ui-", dir=uploads.folder()) as folder:
        path = Path(folder) / safe_name(picked.name)
        uploads.keep(picked, path)
        progress = watched(lambda done: t("Sending {size}", size=t.size(done)))
        return visitor.client.predictions.submit(form, path, progress=progress, key=key).task_id


def labelled_file(visitor: Visitor, task: TaskView) -> None:
    """What came of such a task: how many rows got which label, and the file."""
    t = visitor.t
    found = PredictionResult.model_validate(task.result)
    rows = t.number(found.rows - found.without_label)
    st.success(t("{rows} rows were labelled by {run}.", rows=rows, run=plain(found.run)), icon=":material/label:")
    if found.without_label:
        st.caption(t("{rows} rows have no text, and no label.", rows=t.number(found.without_label)))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            t("Download the labelled file"),
            data=lambda: _fetched(visitor, task.task_id, found.sha256),
            file_name=f"{found.run}-{found.file}",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
            key=f"labelled_{task.task_id}",
        )
        link("try", t("Try it"), icon=":material/chat:", run=found.run)
    table = [{t("Label"): name, t("Rows"): count} for name, count in found.labels.items()]
    if table:
        st.dataframe(table, hide_index=True)


def _fetched(visitor: Visitor, task_id: str, sha256: str) -> bytes:
    return artifacts.fetched(lambda target: visitor.client.predictions.download(task_id, target, sha256=sha256))
