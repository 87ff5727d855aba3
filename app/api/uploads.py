"""A request that sends files: received into an upload, which is gone when the request is, whatever becomes of it."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.api.multipart import Fields, read_form
from app.domain.principal import Principal
from app.services import uploads
from app.services.data_set_intake import FILE_FIELDS
from app.services.platform import Platform
from app.services.uploads import Incoming, Upload

Form = TypeVar("Form", bound=BaseModel)


@asynccontextmanager
async def received(
    request: Request,
    platform: Platform,
    principal: Principal,
    form: type[Form],
    check: Callable[[Fields], None] = lambda _fields: None,
) -> AsyncIterator[tuple[Upload, Form]]:
    """The files of a form and its other fields; who may send has been asked before the first byte is taken.

    `check` may refuse a file by the fields that came before it. Files go to the disk as they arrive; unless a task
    takes them over they are removed when the block ends.
    """
    length = request.headers.get("content-length", "")
    announced = int(length) if length.isascii() and length.isdigit() else None
    upload = await run_in_threadpool(uploads.begin, platform, principal.username, announced)

    def open_file(field: str, filename: str, before: Fields) -> Incoming:
        check(before)
        return Incoming(platform, upload, field, filename)

    try:
        fields = await read_form(request.headers.get("content-type", ""), request.stream(), FILE_FIELDS, open_file)
        yield upload, _validated(form, fields)
    except ClientDisconnect:
        raise HTTPException(400, "the client went away before it had sent everything") from None
    finally:
        if not upload.is_handed_over:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(uploads.discard, platform, upload.id)


def _validated(form: type[Form], fields: Fields) -> Form:
    """The form's fields as its model has them; RequestValidationError with all that is wrong."""
    lists = {name for name, field in form.model_fields.items() if isinstance(field.default, list)}
    given: dict[str, Any] = {
        name: values if name in lists or len(values) > 1 else values[0] for name, values in fields.items()
    }
    try:
        return form.model_validate(given)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_context=False)]
        raise RequestValidationError(faults) from error


def content_of(upload: Upload, form: BaseModel) -> bytes:
    """What stands for the body where it is compared: every field, and each file's hash and name."""
    files = sorted((field, file.shown, file.sha256) for field, file in upload.files.items())
    return hashlib.sha256(f"{files} {form.model_dump_json()}".encode()).digest()


def form_body(form: type[BaseModel]) -> dict[str, Any]:
    """The form for the OpenAPI document."""
    schema = form.model_json_schema()
    what = (
        "labelled rows: csv, tsv, jsonl, json, parquet, xlsx, text; zip or gz of one",
        "evaluation rows",
        "test rows",
    )
    files = {
        name: {"type": "string", "format": "binary", "description": meaning}
        for name, meaning in zip(FILE_FIELDS, what, strict=True)
    }
    schema["properties"] = {**files, **schema["properties"]}
    schema["required"] = [FILE_FIELDS[0], *schema.get("required", [])]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


async def _respond_async(
    prefer: Annotated[
        str | None, Header(description="`respond-async`: answer 202 with a task at once (RFC 7240)", max_length=200)
    ] = None,
) -> bool:
    return "respond-async" in {word.strip().lower() for word in (prefer or "").split(",")}


RespondAsync = Annotated[bool, Depends(_respond_async)]
