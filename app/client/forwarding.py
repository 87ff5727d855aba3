"""For whom a program asks that stands between people and the API, as the web interface does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Forwarding:
    """`address` is that of whoever is asked for now, None where it is not known; the server believes who has `secret`.

    Without a secret (an empty one) the server believes the program only where its TRUSTED_PROXIES names it.
    """

    secret: str
    address: Callable[[], str | None]

    def headers(self) -> Mapping[str, str]:
        """What each request says besides."""
        address = self.address()
        if address is None:
            return {}
        return {"X-Forwarded-For": address} | ({"X-Proxy-Secret": self.secret} if self.secret else {})
