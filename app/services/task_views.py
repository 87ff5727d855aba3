"""Where tasks stand, for whoever may see them."""

import re

from app.auth.permissions import may_read
from app.db.repositories import task_lists
from app.domain.errors import Hidden, NotFound
from app.domain.principal import Principal
from app.services.platform import Platform

_TASK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check_readable(platform: Platform, principal: Principal, task_id: str) -> None:
    """NotFound unless the task is the principal's, or the principal administers the installation."""
    owner = None
    if _TASK_ID.fullmatch(task_id):
        with platform.installation.database.read() as session:
            owner = task_lists.owner_of(session, task_id)
    message, hint = f"there is no task {task_id[:40]!r}", "`GET /tasks` lists yours"
    if owner is None:
        raise NotFound(message, hint=hint)
    if not may_read(principal, owner[0]):
        raise Hidden(message, hint=hint, resource=f"task:{task_id}")
