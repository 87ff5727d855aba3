"""The address of a server: one spelling for each, and plain http to this machine alone unless it is asked for."""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from app.domain.errors import InvalidInput

_DEFAULT_PORTS = {"http": 80, "https": 443}
_EXAMPLE = "such as https://finetune.example.org or http://127.0.0.1:8000"


def normalise(text: str, *, insecure_http: bool = False) -> str:
    """The one spelling of a server's address: lower case, without default port and final slash.

    InvalidInput where it is no http address, carries a password, or would send tokens over plain http to another
    machine and `insecure_http` does not allow that.
    """
    parts, port = _split(text)
    host = parts.hostname or ""
    if parts.scheme == "http" and not insecure_http and not is_loopback(host):
        raise InvalidInput(
            f"{parts.scheme}://{host} would send passwords and tokens over the network unencrypted",
            hint="use an https address, or give --insecure-http where nobody can listen",
        )
    shown = f"[{host}]" if ":" in host else host
    suffix = f":{port}" if port and port != _DEFAULT_PORTS[parts.scheme] else ""
    return f"{parts.scheme}://{shown}{suffix}{parts.path.rstrip('/')}"


def _split(text: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no address of a server: {error}", hint=_EXAMPLE) from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise InvalidInput(f"{text!r} is no address of a server", hint=_EXAMPLE)
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("an address with a name or password in it is not used", hint="sign in: finetune login")
    if parts.query or parts.fragment or any(character.isspace() for character in text.strip()):
        raise InvalidInput(f"{text!r} is no address of a server", hint=_EXAMPLE)
    return parts, port


def is_loopback(host: str) -> bool:
    """Whether a name or number means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
