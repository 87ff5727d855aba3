"""Who else may read an experiment or a data set; said by its owner, or an administrator."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse

from app.api.dependencies import CallerDep, CurrentUser, PlatformDep, Requires
from app.api.errors import problems
from app.api.idempotency import IdempotentDep
from app.auth.permissions import Permission
from app.schemas.paging import Page
from app.schemas.shares import ShareRequest, ShareView
from app.services import sharing
from app.services.sharing import DATASET, EXPERIMENT

router = APIRouter(tags=["sharing"])

_DATASET_WRITE = [Depends(Requires(Permission.DATASET_WRITE))]
_EXPERIMENT_WRITE = [Depends(Requires(Permission.EXPERIMENT_WRITE))]
_LIST_PROBLEMS = problems(401, 403, 404, 422, 503)
_CHANGE_PROBLEMS = problems(401, 403, 404, 409, 413, 422, 503)
_KNOWN: dict[int | str, dict[str, Any]] = {
    200: {"model": ShareView, "description": "OK: it is shared with them already"}
}
Grantee = Annotated[str, Path(max_length=64, description="an account's name, or * for everyone")]


@router.get("/datasets/{name}/shares", dependencies=_DATASET_WRITE, responses=_LIST_PROBLEMS)
def list_data_set_shares(platform: PlatformDep, principal: CurrentUser, name: str) -> Page[ShareView]:
    """With whom a data set is shared."""
    return _page(sharing.list_shares(platform, principal, DATASET, name))


@router.post(
    "/datasets/{name}/shares",
    status_code=201,
    response_model=ShareView,
    dependencies=_DATASET_WRITE,
    responses={**_KNOWN, **_CHANGE_PROBLEMS},
)
def share_data_set(
    platform: PlatformDep, caller: CallerDep, name: str, body: ShareRequest, idempotent: IdempotentDep
) -> JSONResponse:
    """Let somebody, or everyone on this installation, read a data set and train on it."""
    return idempotent.run(lambda: _answer(*sharing.share(platform, caller, DATASET, name, body.grantee)))


@router.delete(
    "/datasets/{name}/shares/{grantee}", status_code=204, dependencies=_DATASET_WRITE, responses=_CHANGE_PROBLEMS
)
def unshare_data_set(platform: PlatformDep, caller: CallerDep, name: str, grantee: Grantee) -> None:
    """Take a share of a data set back."""
    sharing.unshare(platform, caller, DATASET, name, grantee)


@router.get("/experiments/{name}/shares", dependencies=_EXPERIMENT_WRITE, responses=_LIST_PROBLEMS)
def list_experiment_shares(platform: PlatformDep, principal: CurrentUser, name: str) -> Page[ShareView]:
    """With whom an experiment is shared."""
    return _page(sharing.list_shares(platform, principal, EXPERIMENT, name))


@router.post(
    "/experiments/{name}/shares",
    status_code=201,
    response_model=ShareView,
    dependencies=_EXPERIMENT_WRITE,
    responses={**_KNOWN, **_CHANGE_PROBLEMS},
)
def share_experiment(
    platform: PlatformDep, caller: CallerDep, name: str, body: ShareRequest, idempotent: IdempotentDep
) -> JSONResponse:
    """Let somebody, or everyone on this installation, read an experiment with its files."""
    return idempotent.run(lambda: _answer(*sharing.share(platform, caller, EXPERIMENT, name, body.grantee)))


@router.delete(
    "/experiments/{name}/shares/{grantee}",
    status_code=204,
    dependencies=_EXPERIMENT_WRITE,
    responses=_CHANGE_PROBLEMS,
)
def unshare_experiment(platform: PlatformDep, caller: CallerDep, name: str, grantee: Grantee) -> None:
    """Take a share of an experiment back."""
    sharing.unshare(platform, caller, EXPERIMENT, name, grantee)


def _page(items: list[ShareView]) -> Page[ShareView]:
    return Page(items=items, total=len(items), next=None)


def _answer(made: ShareView, is_new: bool) -> tuple[int, ShareView]:
    return (201 if is_new else 200), made
