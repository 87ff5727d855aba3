"""One data set: its versions, what they look like, what was found, what changed, who sees it, its end."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import streamlit as st

from app.client.datasets import ExportFormat, Split
from app.domain.data_profile import DataProfile
from app.schemas.datasets import DatasetView, VersionItem
from app.ui.components.data_diff import show_diff
from app.ui.components.data_end import draw_end
from app.ui.components.data_mend import offer_mending
from app.ui.components.findings import show_detected, show_findings
from app.ui.components.links import here, link
from app.ui.components.paging import Pager
from app.ui.components.profile_plots import show_profile
from app.ui.components.sharing import sharing
from app.ui.components.states import empty, guarded, plain
from app.ui.context import Visitor
from app.ui.words import N_

ROWS_A_PAGE = 50
MAX_DIFF_ROWS = 100
_SPLITS = {"train": N_("training"), "eval": N_("held out"), "test": N_("test")}
Part = Callable[[Visitor, DatasetView, VersionItem], None]


def draw_data_set(visitor: Visitor, name: str) -> None:
    """Draw the version that the address names, else the newest."""
    t = visitor.t
    here(t("All data sets"), "data_back", icon=":material/arrow_back:")
    st.title(plain(name), anchor=False)
    found = visitor.client.datasets.show(name)
    if not found.versions:
        empty(t("Its first version is being made."), t("A worker is at it."), ":material/hourglass:")
        link("tasks", t("Watch your tasks"), icon=":material/checklist:")
        return
    version = _choose_version(visitor, found)
    _summary(visitor, found, version)
    _draw_parts(visitor, found, version)


def _draw_parts(visitor: Visitor, found: DatasetView, version: VersionItem) -> None:
    """Tabs of which the open one alone is fetched; the address names it."""
    parts: dict[str, tuple[str, Part]] = {
        "overview": (N_("Overview"), _profile),
        "findings": (N_("Findings"), _findings),
        "rows": (N_("The rows"), _rows),
        "differences": (N_("Differences"), _differences),
        "download": (N_("Download"), _download),
    }
    if found.may_change:
        parts["sharing"] = (N_("Sharing and deleting"), _sharing)
    names = {visitor.t(title): part for part, (title, _) in parts.items()}
    asked = st.query_params.get("part", "overview")
    opened = visitor.t(parts[asked][0]) if asked in parts else None
    key = f"data_part_{found.name}"

    def remember() -> None:
        st.query_params["part"] = names[st.session_state[key]]

    tabs = st.tabs(list(names), default=opened, key=key, on_change=remember)
    for tab, (_, draw) in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab, guarded():
                draw(visitor, found, version)


def _choose_version(visitor: Visitor, found: DatasetView) -> VersionItem:
    t = visitor.t
    versions = {version.version: version for version in reversed(found.versions)}
    asked = st.query_params.get("version", "")
    numbers = list(versions)
    chosen = int(asked) if asked.isdecimal() and int(asked) in versions else numbers[0]
    key = f"data_version_{found.name}"
    st.session_state[key] = chosen
    st.selectbox(
        t("Version"),
        numbers,
        format_func=lambda number: f"{number} · {t.moment(versions[number].created_at)}",
        help=t("A version never changes. The newest is first."),
        key=key,
        on_change=lambda: st.query_params.update({"version": str(st.session_state[key])}),
        width=360,
    )
    return versions[chosen]


def _summary(visitor: Visitor, found: DatasetView, version: VersionItem) -> None:
    t = visitor.t
    splits = [
        f"{t(_SPLITS[split]) if split in _SPLITS else plain(split)} {t.number(rows)}"
        for split, rows in version.splits.items()
    ]
    owner = plain(found.owner or t("the installation"))
    facts = [
        t("{rows} rows, {labels} labels", rows=t.number(version.rows), labels=t.number(len(version.labels))),
        *splits,
        t("of {owner}", owner=owner),
        t("{size} on the disk", size=t.size(found.stored_bytes)),
    ]
    st.caption(" · ".join(facts))
    if visitor.may("train"):
        link("train", t("Train a model with it"), icon=":material/model_training:", data=version.reference)


def _profile(visitor: Visitor, found: DatasetView, version: VersionItem) -> None:
    t, kept = visitor.t, f"data_map_{found.name}_{version.content}"
    mapped: DataProfile | None = st.session_state.get(kept)
    with st.spinner(t("Loading…")):
        profile = mapped or visitor.client.datasets.profile(found.name, version.version)
    show_profile(profile, t)
    if profile.map is None and mapped is not None:
        st.caption(t("There are too few different texts for a map."))
    elif profile.map is None:
        about = t("Texts with like words near each other, on one picture. It takes some seconds.")
        if st.button(t("Draw a map of the texts"), icon=":material/scatter_plot:", help=about):
            with st.spinner(t("Laying the texts out…")):
                st.session_state[kept] = visitor.client.datasets.profile(found.name, version.version, with_map=True)
            st.rerun()


def _findings(visitor: Visitor, found: DatasetView, version: VersionItem) -> None:
    t = visitor.t
    said = visitor.client.datasets.findings(found.name, version.version)
    show_findings(said.findings, t)
    if found.may_change:
        offer_mending(visitor, found, version)
    sources = visitor.client.datasets.version(found.name, version.version).sources
    for split, detected in said.detected.items():
        name = sources[split].file if split in sources else split
        with st.expander(t("How {file} was read", file=plain(name)), icon=":material/table_view:"):
            show_detected(detected, t)


def _rows(visitor: Visitor, found: DatasetView, version: VersionItem) -> None:
    t = visitor.t
    there: list[Split] = [split for split in get_args(Split) if split in version.splits]
    split = st.pills(
        t("Rows of"), there, format_func=lambda one: t(_SPLITS.get(one or "", one or "")), key="data_rows_split"
    )
    pager = Pager("data_rows", (found.name, version.version, split))
    with st.spinner(t("Loading…")):
        page = pager.page(
            lambda cursor: visitor.client.datasets.rows_page(
                found.name, version.version, split=split, limit=ROWS_A_PAGE, cursor=cursor
            )
        )
    st.dataframe(
        [
            {
                t("Row"): row.row,
                t("Rows of"): t(_SPLITS.get(row.split, row.split)),
                t("Label"): row.label,
                t("Text"): row.text + (" …" if row.is_cut else ""),
            }
            for row in page.items
        ],
        hide_index=True,
        column_config={t("Text"): st.column_config.TextColumn(width="large")},
    )
    pager.draw(page, t)
    st.caption(t("That you looked at these rows is recorded."))


def _differences(visitor: Visitor, found: DatasetView, version: VersionItem) -> None:
    t = visitor.t
    others = [one.version for one in reversed(found.versions) if one.version != version.version]
    if not others:
        st.caption(t("There is one version. Store another file under this name, and see here what changed."))
        return
    versions = {one.version: one for one in found.versions}
    before = next((number for number in others if number < version.version), others[0])
    other = st.selectbox(
        t("Compared with version"),
        others,
        index=others.index(before),
        format_func=lambda number: f"{number} · {t.moment(versions[number].created_at)}",
        help=t("The older of both is on the left."),
        key=f"data_diff_{found.name}_{version.version}",
        width=360,
    )
    old, new = sorted((other, version.version))
    with st.spinner(t("Comparing…")):
        diff = visitor.client.datasets.diff(found.name, old, new, limit=MAX_DIFF_ROWS)
    show_diff(diff, versions[old], versions[new], t)


def _download(visitor: Visitor, found: DatasetView, version: VersionItem) -> None:
    t = visitor.t
    st.markdown(t("A file with text, label and split of every row."))
    kind: ExportFormat = st.segmented_control(
        t("Format"), list(get_args(ExportFormat)), default="csv", required=True, key="data_export_format"
    )
    name = f"{found.name}-{version.version}.{kind}"

    def fetch() -> bytes:
        with TemporaryDirectory() as folder:
            target = Path(folder) / f"rows.{kind}"
            return visitor.client.datasets.export(found.name, version.version, target, format_=kind).read_bytes()

    st.download_button(
        t("Download"), fetch, file_name=name, on_click="ignore", icon=":material/download:", type="primary"
    )
    st.caption(t("That you took a copy is recorded."))


def _sharing(visitor: Visitor, found: DatasetView, version: VersionItem) -> None:
    t, shares = visitor.t, visitor.client.shares
    st.subheader(t("Who can see this"), anchor=False)
    with guarded():
        sharing(
            "dataset",
            shares.of_data_set(found.name),
            lambda grantee: shares.share_data_set(found.name, grantee),
            lambda grantee: shares.unshare_data_set(found.name, grantee),
            t,
        )
        st.subheader(t("Delete"), anchor=False)
        draw_end(visitor, found, version)
