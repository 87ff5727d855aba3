"""Choose one finished run, or two to put side by side; the address of the page says which."""

import streamlit as st

from app.schemas.experiments import ExperimentItem
from app.ui.components.links import link
from app.ui.components.states import empty, guarded, plain
from app.ui.context import Visitor
from app.ui.words import Words

FINISHED, NEWEST = "state = SUCCESS", "-created_at"
MAX_OFFERED = 100
FIRST, SECOND = "run", "and"


def chosen_runs(visitor: Visitor) -> list[str]:
    """Names of finished runs that may be asked: none where there are none, or those that were named cannot be."""
    t = visitor.t
    asked = [name for name in (st.query_params.get(FIRST), st.query_params.get(SECOND)) if name]
    with guarded():
        with st.spinner(t("Loading…")):
            offered = _offered(visitor, asked)
        if not offered:
            empty(t("There is no finished model yet."), t("The first training makes one."), ":material/chat:")
            if visitor.may("train"):
                link("train", t("Train a model"), icon=":material/model_training:")
            return []
        unfinished = [name for name in asked if name in offered and offered[name].state != "SUCCESS"]
        if unfinished:
            empty(t("This run has no model yet."), t("It can be asked once it has succeeded."), ":material/hourglass:")
            link("experiments", unfinished[0], icon=":material/science:", run=unfinished[0])
            return []
        return _choose(asked, offered, t)
    return []


def _offered(visitor: Visitor, asked: list[str]) -> dict[str, ExperimentItem]:
    """The newest finished runs by name, and those that were asked for whichever they are."""
    client = visitor.client.experiments
    page = client.own_page(where=FINISHED, sort=NEWEST, limit=MAX_OFFERED)
    offered = {item.name: item for item in page.items}
    return offered | {name: client.show(name) for name in asked if name not in offered}


def _choose(asked: list[str], offered: dict[str, ExperimentItem], t: Words) -> list[str]:
    is_compared = len(offered) > 1 and st.toggle(
        t("Put a second model beside it"), value=len(asked) > 1, key="try:is_compared"
    )
    left, right = st.columns(2, gap="medium")
    with left:
        first = _one(t("Model"), list(offered), asked[0] if asked else None, FIRST, offered, t)
    st.query_params[FIRST] = first
    if not is_compared:
        st.query_params.pop(SECOND, None)
        return [first]
    with right:
        names = [name for name in offered if name != first]
        second = _one(t("Second model"), names, asked[1] if len(asked) > 1 else None, SECOND, offered, t)
    st.query_params[SECOND] = second
    return [first, second]


def _one(
    label: str, names: list[str], asked: str | None, key: str, offered: dict[str, ExperimentItem], t: Words
) -> str:
    index = names.index(asked) if asked in names else 0
    name = st.selectbox(label, names, index=index, key=f"try:{key}", help=t("The newest finished runs come first."))
    item = offered[str(name)]
    score = [] if item.accuracy is None else [t("accuracy {share}", share=t.percent(item.accuracy))]
    st.caption(" · ".join([plain(one) for one in (item.base_model, item.dataset) if one] + score))
    return str(name)
