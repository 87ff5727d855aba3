"""Where a request comes from: the other end of its connection, or whom a trusted proxy there speaks for."""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

MAX_HOPS = 20
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")
"""Some proxies write the port too, and an IPv6 address in brackets then."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def origin(
    peer: str | None, forwarded: Sequence[str], trusted: tuple[str, ...], *, vouched: bool = False
) -> str | None:
    """The address of whoever asks; `vouched` says that the peer is trusted whatever its address is.

    `forwarded` are the lines of X-Forwarded-For: each proxy adds the address it was called from at the end, and anybody
    can write what stands before. So they are read from the end, and only as far as trusted proxies wrote them.
    """
    hops = [word.strip() for line in forwarded for word in line.split(",")][-MAX_HOPS:]
    address = peer
    while hops and (vouched or _is_trusted(address, trusted)):
        vouched = False
        before = _without_port(hops.pop())
        if _parsed(before) is None:
            break
        address = before
    return address


def _is_trusted(text: str | None, trusted: tuple[str, ...]) -> bool:
    address = _parsed(text)
    return address is not None and any(address in network for network in _networks(trusted))


def _without_port(hop: str) -> str:
    found = _WITH_PORT.fullmatch(hop)
    return found[1] or found[2] if found else hop


def _parsed(text: str | None) -> Address | None:
    try:
        address = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@lru_cache
def _networks(trusted: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word, strict=False) for word in trusted)
