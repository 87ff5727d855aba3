"""What finished runs left behind: lists, single files, the model as an archive, the report. Downloads are recorded."""

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from app.api.dependencies import CallerDep, CurrentUser, PlatformDep, Requires
from app.api.downloads import BINARY, PARTIAL, FileDownload, attachment, binary
from app.api.errors import problems
from app.auth.permissions import Permission
from app.schemas.experiments import ArtifactList
from app.services import artifacts

router = APIRouter(
    prefix="/experiments/{name}", tags=["artifacts"], dependencies=[Depends(Requires(Permission.EXPERIMENT_READ))]
)

SANDBOX = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""A report may show itself and do nothing: no script, no request, no origin."""


@router.get("/artifacts", operation_id="list_artifacts", responses=problems(401, 403, 404, 409, 503))
def list_artifacts(platform: PlatformDep, principal: CurrentUser, name: str) -> ArtifactList:
    """The files of a finished run with their sizes and the sha256 its receipt has for them."""
    return artifacts.list_artifacts(platform, principal, name)


@router.get(
    "/artifacts/{path:path}",
    response_class=FileDownload,
    status_code=200,
    operation_id="download_artifact",
    responses={
        **binary(BINARY, "the file; `X-Content-SHA256` is what it must have"),
        **PARTIAL,
        **problems(400, 401, 403, 404, 409, 416, 503),
    },
)
def download_artifact(platform: PlatformDep, caller: CallerDep, name: str, path: str) -> FileDownload:
    """One file as a stream, or the part of it that `Range` asks for; only what the receipt lists."""
    return FileDownload(artifacts.download(platform, caller, name, path))


@router.get(
    "/archive",
    response_class=StreamingResponse,
    operation_id="download_archive",
    responses={**binary("application/zip", "a zip file"), **problems(401, 403, 404, 409, 503)},
)
def download_archive(platform: PlatformDep, caller: CallerDep, name: str) -> StreamingResponse:
    """The final model (adapter, tokenizer, label map) as one zip file, made while it is sent."""
    pieces = artifacts.archive(platform, caller, name)
    return StreamingResponse(pieces, media_type="application/zip", headers=attachment(f"{name}.zip"))


@router.get(
    "/report",
    response_class=FileDownload,
    status_code=200,
    operation_id="download_report",
    responses={
        **binary("text/html", "one page"),
        **PARTIAL,
        **problems(400, 401, 403, 404, 409, 416, 503),
    },
)
def download_report(platform: PlatformDep, caller: CallerDep, name: str) -> FileDownload:
    """The report for people, as one page that loads nothing."""
    download = artifacts.report(platform, caller, name)
    response = FileDownload(download, f"{name}-report.html", "text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = SANDBOX
    return response
