"""What the platform's use cases share: the installation, its settings and secrets, the queue and the audit log."""

from dataclasses import dataclass

from app.domain.ports import TaskQueue
from app.services.auditing import AuditLog
from app.services.installation import Installation, open_installation
from app.services.secrets import Secrets, load_secrets
from app.settings import Settings


@dataclass(frozen=True)
class Platform:
    """One process's view of the installation; made by the composition roots."""

    installation: Installation
    settings: Settings
    secrets: Secrets
    audit: AuditLog
    queue: TaskQueue


def open_platform(settings: Settings, queue: TaskQueue) -> Platform:
    """Open database and secrets; raises ConfigError where a production start lacks a secret."""
    secrets = load_secrets(settings)
    installation = open_installation(settings)
    return Platform(installation, settings, secrets, AuditLog(installation.database, secrets.audit_key), queue)
