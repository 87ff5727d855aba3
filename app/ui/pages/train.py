"""Train: choose data and settings, see what it would take, start."""

import streamlit as st

from app.domain.errors import Forbidden, InvalidInput
from app.schemas.problem import ProblemPlace
from app.schemas.train import ConfigCheck
from app.ui.components import config_draft
from app.ui.components.config_draft import ConfigDraft
from app.ui.components.config_form import basic_form, expert_form, fields_of
from app.ui.components.config_plan import plan_part
from app.ui.components.config_yaml import yaml_editor
from app.ui.components.data_choice import TRAIN, choose_data, stored_names, take
from app.ui.components.links import go
from app.ui.components.states import guarded, plain
from app.ui.context import Visitor

BASIC, EXPERT = "basic", "expert"
WISH = "train"
_ASKED = "train:asked"


def draw(visitor: Visitor) -> None:
    """Draw the page."""
    t = visitor.t
    st.title(t("Train a model"), anchor=False)
    if not visitor.may("train"):
        raise Forbidden("this account may not train")
    draft = config_draft.current()
    _take_from_address()
    names, has_more = stored_names(visitor.client, draft)
    check = _check(visitor, draft)
    problems = {problem.pointer: t.told(problem.told("detail")) for problem in check.problems}
    if not draft.was_tried and draft.get(TRAIN) is None:
        problems.pop("/data/train", None)  # nobody has been asked yet
    form, side = st.columns([3, 2], gap="large")
    with form:
        view = _view(visitor)
        can_go = choose_data(visitor, draft, names, problems.get("/data/train", ""), has_more=has_more)
        fields = fields_of(visitor.client.config.schema(), problems)
        shown = {"/data/train", *(expert_form if view == EXPERT else basic_form)(fields, draft, t)}
    with side:
        with st.container(border=True):
            _before_the_start(visitor, draft, check, can_go=can_go)
        elsewhere = [(pointer, detail) for pointer, detail in problems.items() if pointer not in shown]
        yaml_editor(draft, check, elsewhere, t)


def _take_from_address() -> None:
    """`?data=NAME@VERSION` chooses that once."""
    asked = st.query_params.get("data")
    if asked and st.session_state.get(_ASKED) != asked:
        st.session_state[_ASKED] = asked
        take(asked)


def _check(visitor: Visitor, draft: ConfigDraft) -> ConfigCheck:
    """What the API says of the settings; what it cannot read at all is a problem of the whole."""
    try:
        return visitor.client.config.validate(draft.values)
    except InvalidInput as error:
        places = error.places or [("", error.message)]
        problems = [ProblemPlace(pointer=pointer, detail=detail) for pointer, detail in places]
        return ConfigCheck(valid=False, config=None, problems=problems, warnings=[])


def _view(visitor: Visitor) -> str:
    t = visitor.t
    return st.segmented_control(
        t("Settings"),
        [BASIC, EXPERT],
        default=BASIC,
        required=True,
        format_func=lambda one: t("The few that matter") if one == BASIC else t("All of them"),
        key="train:view",
        persist_state="session",
        label_visibility="collapsed",
    )


def _before_the_start(visitor: Visitor, draft: ConfigDraft, check: ConfigCheck, *, can_go: bool) -> None:
    """What it would take, what has no effect, and the button."""
    t = visitor.t
    st.markdown(f"**{t('Before you start')}**")
    plan_part(visitor, draft, disabled=not can_go or draft.fault is not None)
    for number, warning in enumerate(check.warnings):
        st.caption(f":material/info: {plain(t.told(warning, check.said.get(f'warnings.{number}')))}")
    if check.problems and draft.get(TRAIN) is not None:
        st.caption(f":material/error: {t('Something has to be mended first; it says so at its field.')}")
    label = t("Start training")
    disabled = not can_go or draft.fault is not None
    if st.button(label, type="primary", icon=":material/play_arrow:", width="stretch", disabled=disabled):
        draft.was_tried = True
        with guarded():
            accepted = visitor.client.train.submit(draft.values, key=draft.key_for(WISH))
            draft.came_true(WISH)
            go("tasks", task=accepted.task_id)
