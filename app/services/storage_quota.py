"""How many bytes an account may keep here: data sets, runs, predictions, and uploads still on their way in."""

from app.db.repositories import datasets, stored_work, uploads
from app.db.session import Session
from app.domain.errors import QuotaExceeded
from app.domain.wording import say
from app.settings import Settings

RETRY_AFTER_UPLOAD_SECONDS = 60.0
RETRY_AFTER_SECONDS = 3600.0
"""Room comes back when a person deletes something; nobody knows when that is."""


def check(session: Session, settings: Settings, username: str, more_bytes: int) -> None:
    """QuotaExceeded where `more_bytes` do not fit beside what the account keeps already.

    Until the transaction ends, nobody else can take the same room.
    """
    own = uploads.lock_account(session, username)
    limit = settings.max_stored_bytes if own is None else own
    data, work = datasets.stored_bytes_of(session, username), stored_work.bytes_of(session, username)
    stored, arriving = data + work, uploads.bytes_of(session, username)
    if stored + arriving + more_bytes <= limit:
        return
    would_fit = stored + more_bytes <= limit
    raise QuotaExceeded(
        say(
            "{more_bytes:,} bytes more do not fit: {username} keeps {data:,} bytes of data sets "
            "and {work:,} of runs and predictions, is sending {arriving:,}, and may keep "
            "{limit:,}",
            more_bytes=more_bytes,
            username=username,
            data=data,
            work=work,
            arriving=arriving,
            limit=limit,
        ),
        retry_after_seconds=RETRY_AFTER_UPLOAD_SECONDS if would_fit else RETRY_AFTER_SECONDS,
        hint="wait until the other uploads are done" if would_fit else "delete data sets and runs you need no more",
    )
