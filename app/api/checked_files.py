"""Files that were sent are checked once for each key their client gave: while it waits, or by a worker."""

import json
from collections.abc import Callable

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from app.api.child_slots import CHECKS
from app.api.idempotency import Idempotent, Made
from app.api.uploads import content_of
from app.domain.principal import Principal
from app.services import data_set_intake
from app.services.data_work import Stopped
from app.services.uploads import Upload


async def answered_once(
    request: Request,
    principal: Principal,
    idempotent: Idempotent,
    upload: Upload,
    form: BaseModel,
    respond_async: bool,
    make: Callable[[Stopped], Made],
) -> JSONResponse:
    """What `make` gives, here or from a worker; the same files give the same, so what was interrupted is done again."""

    def work(stopped: Stopped) -> JSONResponse:
        return idempotent.run(
            lambda: make(stopped),
            content=content_of(upload, form),
            recover=data_set_intake.accepted_before,
            repeatable_after=data_set_intake.longest(upload, respond_async=respond_async),
        )

    if data_set_intake.is_for_a_worker(upload, respond_async=respond_async):
        return _with_place(await run_in_threadpool(work, _never))
    return _with_place(await CHECKS.run(request, principal.username, work))


def _never() -> bool:
    return False


def _with_place(response: JSONResponse) -> JSONResponse:
    """With the task's place where the work is left to a worker."""
    if response.status_code == 202:
        response.headers["Location"] = f"/task/{json.loads(bytes(response.body))['task_id']}"
    return response
