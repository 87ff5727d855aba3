"""`python -m app.cli.preflight`: what must hold before the programs start, found out in a process of its own.

It opens the installation, so that secrets are made, the database is migrated and what is wrong with either, or with
the server of REDIS_URL, is one error; and prints, as JSON, how many `accounts` there are.
"""

import json
import sys


def main() -> int:
    """Print the answer; on stderr the error, whose kind is the exit status."""
    from app.cli import output
    from app.domain.errors import PlatformError
    from app.services.health import numbers
    from app.services.platform import open_platform
    from app.settings import get_settings
    from app.tasks.queue import CeleryQueue

    try:
        settings = get_settings()
        platform = open_platform(settings, CeleryQueue(settings))
        if settings.redis_url:
            platform.queue.check()
        found = numbers(platform)
    except PlatformError as error:
        output.show_error(error)
        return output.exit_status(error)
    print(json.dumps({"accounts": sum(found.accounts.values())}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
