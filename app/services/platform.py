"""What the platform's use cases share: the installation, its settings and secrets, the queue and the audit log."""

from dataclasses import dataclass

from app.auth.passwords import Passwords
from app.domain.ports import TaskQueue
from app.services.auditing import AuditLog
from app.services.installation import Installation, open_installation
from app.services.login_limits import LoginLimits
from app.services.secrets import Secrets, load_secrets
from app.services.signing_keys import SigningKeys
from app.settings import Settings


@dataclass(frozen=True)
class Platform:
    """One process's view of the installation; made by the composition roots."""

    installation: Installation
    settings: Settings
    secrets: Secrets
    audit: AuditLog
    queue: TaskQueue
    passwords: Passwords
    signing_keys: SigningKeys
    login_limits: LoginLimits


def open_platform(settings: Settings, queue: TaskQueue, *, passwords: Passwords | None = None) -> Platform:
    """Open database and secrets; raises ConfigError where a production start lacks a secret.

    `passwords` is what hashes them, at another cost than the usual one.
    """
    secrets = load_secrets(settings)
    installation = open_installation(settings)
    audit = AuditLog(installation.database, secrets.audit_key, settings.results_dir)
    return Platform(
        installation=installation,
        settings=settings,
        secrets=secrets,
        audit=audit,
        queue=queue,
        passwords=passwords or Passwords(),
        signing_keys=SigningKeys(settings, secrets.jwt_keys),
        login_limits=LoginLimits(settings),
    )
