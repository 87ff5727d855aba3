"""Data sets: files in, checked and stored as versions; what is in them, what changed, a copy."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from app.api.checked_files import answered_once
from app.api.child_slots import COPIES, READS
from app.api.dependencies import CallerDep, CurrentUser, PlatformDep, Requires
from app.api.errors import problems
from app.api.etags import NOT_MODIFIED, tagged
from app.api.idempotency import IdempotentDep, Made
from app.api.multipart import Fields
from app.api.uploads import RespondAsync, form_body, received
from app.auth.permissions import Permission
from app.domain.data_profile import DataProfile
from app.schemas.datasets import (
    AddForm,
    DatasetCreated,
    DatasetItem,
    DatasetRowView,
    DatasetView,
    DiffView,
    ValidatedFile,
    ValidateForm,
    VersionFindings,
    VersionView,
)
from app.schemas.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from app.schemas.tasks import Accepted
from app.services import data_set_intake, data_set_removal, data_set_rows, data_sets_shared
from app.services.data_set_rows import Export, ExportFormat, Split
from app.services.data_work import Stopped

router = APIRouter(prefix="/datasets", tags=["data sets"])

_READ = [Depends(Requires(Permission.DATASET_READ))]
_WRITE = [Depends(Requires(Permission.DATASET_WRITE))]
_PIECE = 1 << 18
MAX_ROWS = 200
MAX_DIFF_ROWS = 100

Number = Annotated[int, Path(ge=1, lt=10**9, description="which version of the name")]
Cursor = Annotated[str | None, Query(description="`next` of the page before")]
_LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": Accepted, "description": "Accepted: a worker checks it; the task's result is this answer's body"}
}


@router.post(
    "",
    status_code=201,
    response_model=DatasetCreated,
    dependencies=_WRITE,
    openapi_extra=form_body(AddForm),
    responses={
        200: {"model": DatasetCreated, "description": "OK: this content is a version of that name already"},
        **_LATER,
        **problems(400, 401, 403, 408, 409, 413, 422, 429, 503, 507),
    },
)
async def add_data_set(
    request: Request,
    platform: PlatformDep,
    principal: CurrentUser,
    caller: CallerDep,
    idempotent: IdempotentDep,
    respond_async: RespondAsync,
) -> Response:
    """Check a labelled file and store it as the next version of a name.

    A name belongs to whoever stores under it first. Where a finding blocks training, nothing is stored: 422
    `data.blocked`, with the findings. Files above 5 MB, and others where asked to, are checked by a worker: 202.
    """

    def check(before: Fields) -> None:
        for name in before.get("name", [])[:1]:
            data_set_intake.check_name(platform, caller, name)

    async with received(request, platform, principal, AddForm, check) as (upload, form):

        def make(stopped: Stopped) -> Made:
            return data_set_intake.add(platform, caller, upload, form, respond_async=respond_async, stopped=stopped)

        return await answered_once(request, principal, idempotent, upload, form, respond_async, make)


@router.post(
    "/validate",
    response_model=ValidatedFile,
    dependencies=_WRITE,
    openapi_extra=form_body(ValidateForm),
    responses={**_LATER, **problems(400, 401, 403, 408, 409, 413, 422, 429, 503, 507)},
)
async def validate_file(
    request: Request,
    platform: PlatformDep,
    principal: CurrentUser,
    caller: CallerDep,
    idempotent: IdempotentDep,
    respond_async: RespondAsync,
) -> Response:
    """Say how a labelled file is read and what is wrong with it; nothing is stored.

    200 also where a finding blocks training: `ok` is false then.
    """
    async with received(request, platform, principal, ValidateForm) as (upload, form):

        def make(stopped: Stopped) -> Made:
            return data_set_intake.validate(
                platform, caller, upload, form, respond_async=respond_async, stopped=stopped
            )

        return await answered_once(request, principal, idempotent, upload, form, respond_async, make)


@router.get(
    "",
    response_model=Page[DatasetItem],
    dependencies=_READ,
    responses={**NOT_MODIFIED, **problems(401, 403, 422, 500, 503)},
)
def list_data_sets(
    request: Request,
    platform: PlatformDep,
    principal: CurrentUser,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """One's own data sets and those shared with one, by name; for administrators all."""
    return tagged(request, data_sets_shared.list_data_sets(platform, principal, cursor, limit))


@router.get("/{name}", dependencies=_READ, responses=problems(401, 403, 404, 422, 500, 503))
def show_data_set(platform: PlatformDep, principal: CurrentUser, name: str) -> DatasetView:
    """One data set with its versions."""
    return data_sets_shared.get_data_set(platform, principal, name)


@router.delete(
    "/{name}", status_code=204, dependencies=_WRITE, responses=problems(401, 403, 404, 409, 413, 422, 500, 503)
)
def delete_data_set(platform: PlatformDep, caller: CallerDep, name: str) -> None:
    """Forget a name with all its versions; runs keep their data. 409 while a run waits that will ask for it."""
    data_set_removal.delete(platform, caller, name)


@router.get("/{name}/diff", dependencies=_READ, responses=problems(401, 403, 404, 413, 422, 429, 500, 503, 507))
async def diff_versions(
    request: Request,
    platform: PlatformDep,
    principal: CurrentUser,
    caller: CallerDep,
    name: str,
    old: Annotated[int, Query(ge=1, lt=10**9, description="the version before")],
    new: Annotated[int, Query(ge=1, lt=10**9, description="the version after")],
    limit: Annotated[int, Query(ge=0, le=MAX_DIFF_ROWS, description="rows of each kind that are given")] = 20,
) -> DiffView:
    """What changed from one version to another: rows added, removed, relabelled."""
    return await READS.run(
        request,
        principal.username,
        lambda stopped: data_set_rows.diff(platform, caller, name, old, new, limit=limit, stopped=stopped),
    )


@router.get("/{name}/{number}", dependencies=_READ, responses=problems(401, 403, 404, 422, 500, 503))
def show_version(platform: PlatformDep, principal: CurrentUser, name: str, number: Number) -> VersionView:
    """One version: its labels and splits, the files it came from."""
    return data_sets_shared.get_version(platform, principal, name, number)


@router.delete(
    "/{name}/{number}",
    status_code=204,
    dependencies=_WRITE,
    responses=problems(401, 403, 404, 409, 413, 422, 500, 503),
)
def delete_version(platform: PlatformDep, caller: CallerDep, name: str, number: Number) -> None:
    """Forget a version; its number is not given again, and runs keep their data."""
    data_set_removal.delete_version(platform, caller, name, number)


@router.get("/{name}/{number}/findings", dependencies=_READ, responses=problems(401, 403, 404, 422, 500, 503))
def list_findings(platform: PlatformDep, principal: CurrentUser, name: str, number: Number) -> VersionFindings:
    """What was found in the files a version came from, and how they were read."""
    return data_sets_shared.get_findings(platform, principal, name, number)


@router.get(
    "/{name}/{number}/profile",
    dependencies=_READ,
    responses=problems(401, 403, 404, 413, 422, 429, 500, 503, 507),
)
async def profile_version(
    request: Request,
    platform: PlatformDep,
    principal: CurrentUser,
    caller: CallerDep,
    name: str,
    number: Number,
    with_map: Annotated[
        bool, Query(alias="map", description="with a map of at most 2,000 texts; takes longer")
    ] = False,
) -> DataProfile:
    """What a version looks like: labels, lengths, words that mark each label, languages, repetitions.

    A map lays texts out by the words in them, like ones near each other; `map` is null where there are too few.
    """
    return await READS.run(
        request,
        principal.username,
        lambda stopped: data_set_rows.profile(platform, caller, name, number, with_map=with_map, stopped=stopped),
    )


@router.get(
    "/{name}/{number}/rows", dependencies=_READ, responses=problems(401, 403, 404, 413, 422, 429, 500, 503, 507)
)
async def list_rows(
    request: Request,
    platform: PlatformDep,
    principal: CurrentUser,
    caller: CallerDep,
    name: str,
    number: Number,
    split: Split | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[DatasetRowView]:
    """The rows of a version, or of one split of it, in order; each look is recorded as a download."""
    return await READS.run(
        request,
        principal.username,
        lambda stopped: data_set_rows.list_rows(
            platform, caller, name, number, split=split, cursor=cursor, limit=limit, stopped=stopped
        ),
    )


@router.get(
    "/{name}/{number}/export",
    dependencies=_READ,
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "OK: the file",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}} for kind in data_set_rows.MEDIA_TYPES.values()
            },
        },
        **problems(401, 403, 404, 413, 422, 429, 500, 503, 507),
    },
)
async def export_version(
    request: Request,
    platform: PlatformDep,
    principal: CurrentUser,
    caller: CallerDep,
    name: str,
    number: Number,
    file_format: Annotated[ExportFormat, Query(alias="format")] = "csv",
    split: Split | None = None,
) -> StreamingResponse:
    """A version as a file with the columns text, label and split; of one split without the last."""
    export = await COPIES.run(
        request,
        principal.username,
        lambda stopped: data_set_rows.export(
            platform, caller, name, number, file_format=file_format, split=split, stopped=stopped
        ),
    )
    headers = {
        "Content-Length": str(export.size_bytes),
        "Content-Disposition": f'attachment; filename="{export.filename}"',
    }
    return StreamingResponse(_pieces(export), media_type=export.media_type, headers=headers)


def _pieces(export: Export) -> Iterator[bytes]:
    with export.file as file:
        while piece := file.read(_PIECE):
            yield piece
