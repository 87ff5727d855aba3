"""What a finished run left behind: the proof that it works, and its files to take along."""

import streamlit as st

from app.schemas.experiments import ArtifactList, ExperimentView
from app.ui.components import artifacts
from app.ui.components.states import empty
from app.ui.context import Visitor

RECEIPT = "receipt.json"


def draw(visitor: Visitor, view: ExperimentView, files: ArtifactList | None) -> None:
    """The proof, the receipt, the files."""
    t = visitor.t
    if files is None:
        empty(t("This run has left nothing yet."), t("Its files are there once it has succeeded."), ":material/folder:")
        return
    _proof(visitor, files)
    st.subheader(t("Files"), anchor=False)
    with st.container(horizontal=True):
        report_button(visitor, view.name, "experiment_report_file")
        st.download_button(
            t("The model as one archive"),
            data=lambda: artifacts.fetched(lambda target: visitor.client.artifacts.archive(view.name, target)),
            file_name=f"{view.name}.zip",
            mime="application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
            help=t("Adapter, tokenizer, names of the labels, and a program that predicts with them."),
            key="experiment_archive",
        )
    _one_file(visitor, files)


def report_button(visitor: Visitor, name: str, key: str) -> None:
    """The report, one page that needs nothing else."""
    st.download_button(
        visitor.t("Download the report"),
        data=lambda: artifacts.fetched(lambda target: visitor.client.artifacts.report(name, target)),
        file_name=f"{name}-report.html",
        mime="text/html",
        icon=":material/description:",
        on_click="ignore",
        help=visitor.t("One file with all plots and tables, for reading and passing on; opens in any browser."),
        key=key,
    )


def _proof(visitor: Visitor, files: ArtifactList) -> None:
    t = visitor.t
    receipt = artifacts.look_into(visitor, files, RECEIPT)
    proof = (receipt or {}).get("proof")
    st.subheader(t("Proof"), anchor=False)
    if proof is None:
        st.caption(t("This run has no proof."))
        return
    if proof["passed"]:
        st.success(t("The saved files were loaded by a fresh process and answered as the trained model did."),
                   icon=":material/verified:")  # fmt: skip
    else:
        st.error(t("The saved files do not answer as the trained model did."), icon=":material/gpp_bad:")
    figures = {
        t("Rows scored again"): t.number(proof["rows"]),
        t("Equal labels"): t.percent(proof["label_agreement"]),
        t("Largest difference of a score"): f"{proof['max_abs_logit_diff']:.1e}",
    }
    for column, (title, value) in zip(st.columns(3), figures.items(), strict=True):
        column.metric(title, value, border=True)
    with st.expander(t("The receipt: every file with its fingerprint"), icon=":material/receipt_long:"):
        st.json(receipt, expanded=1)


def _one_file(visitor: Visitor, files: ArtifactList) -> None:
    t = visitor.t
    rows = [{t("File"): one.path, t("Size"): t.size(one.size_bytes), "SHA-256": one.sha256} for one in files.items]
    st.dataframe(rows, hide_index=True)
    by_path = {one.path: one for one in files.items}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        path = st.selectbox(t("One of the files"), list(by_path), key="experiment_file")
        chosen = by_path[str(path)]
        st.download_button(
            t("Download"),
            data=lambda: artifacts.fetch_artifact(visitor, files.run, chosen),
            file_name=chosen.path.rpartition("/")[2],
            icon=":material/download:",
            on_click="ignore",
            key=f"experiment_file_{chosen.sha256}",
        )
    st.caption(t("{count} files, {size} in all", count=len(files.items), size=t.size(files.total_bytes)))
