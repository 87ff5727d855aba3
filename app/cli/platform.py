"""The installation on this machine, as commands about its accounts and keys open it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.services.platform import Platform


def local_platform() -> "Platform":
    """The installation of the settings; its queue is connected to when something is sent."""
    from app.services.platform import open_platform
    from app.settings import get_settings
    from app.tasks.queue import CeleryQueue

    settings = get_settings()
    return open_platform(settings, CeleryQueue(settings))
