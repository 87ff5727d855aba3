"""What a run was made from: data, settings and why, versions of programs, checkpoints."""

from typing import Any

import streamlit as st
import yaml

from app.schemas.experiments import ArtifactList, ExperimentView
from app.ui.components.artifacts import look_into
from app.ui.components.links import link
from app.ui.components.plan_view import show_choices
from app.ui.context import Visitor

ENVIRONMENT = "environment.json"


def draw(visitor: Visitor, view: ExperimentView, files: ArtifactList | None) -> None:
    """Draw it: the origin, the decisions of the plan, the settings."""
    t = visitor.t
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(t("Made from"), anchor=False)
        environment = (look_into(visitor, files, ENVIRONMENT) if files else None) or {}
        _facts(visitor, view, environment)
        if view.dataset and view.may_read_data:
            link("data", t("Look at the data set"), icon=":material/table:", dataset=view.dataset.partition("@")[0])
        _checkpoints(visitor, view)
    with right:
        st.subheader(t("Settings"), anchor=False)
        st.caption(t("Train again with these settings, and the same run comes out."))
        text = yaml.safe_dump(view.config, allow_unicode=True, sort_keys=False)
        st.code(text, language="yaml", height=420)
        st.download_button(
            t("Download as YAML"), text, f"{view.name}.yaml", icon=":material/download:", on_click="ignore"
        )
    decisions = (view.plan or {}).get("decisions")
    if decisions:
        st.subheader(t("What “auto” became, and why"), anchor=False)
        show_choices(decisions, t)


def _facts(visitor: Visitor, view: ExperimentView, environment: dict[str, Any]) -> None:
    t, made_from = visitor.t, view.lineage
    facts = {
        t("Data set"): view.dataset,
        t("Fingerprint of the data"): made_from.data_version,
        t("Base model"): view.base_model,
        t("Random seed"): made_from.seed,
        t("Version of the program"): made_from.code_revision,
        t("Device"): (view.plan or {}).get("device"),
        "Python": environment.get("python"),
        **made_from.libraries,
    }
    rows = [{t("What"): name, t("Value"): _written(value)} for name, value in facts.items() if value not in (None, "")]
    st.dataframe(rows, hide_index=True, height="content")


def _checkpoints(visitor: Visitor, view: ExperimentView) -> None:
    t = visitor.t
    if view.checkpoints:
        st.subheader(t("Checkpoints"), anchor=False)
        rows = [{t("Step"): one.step, t("Size"): t.size(one.size_bytes)} for one in view.checkpoints]
        st.dataframe(rows, hide_index=True)


def _written(value: Any) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
