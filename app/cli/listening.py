"""Taking a port before anything starts, so that one in use is reported as such and nobody else takes it meanwhile."""

import errno
import socket

from app.domain.errors import Conflict

BACKLOG = 2048


def listen(host: str, port: int, variable: str) -> socket.socket:
    """A listening socket; Conflict says who has the port, and that `variable` in .env chooses another."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise Conflict(f"{host} is not an address: {error.strerror}", hint="set API_HOST in .env") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _refused(host, port, variable, error) from error
    return listening


def check_free(port: int, variable: str) -> None:
    """Conflict where something on this machine listens on the port already."""
    listen("127.0.0.1", port, variable).close()


def _refused(host: str, port: int, variable: str, error: OSError) -> Conflict:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"port {port} is taken{_by_whom(port)}",
            hint=f"stop what listens there, or set {variable} in .env to another port",
            code="port.taken",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return Conflict(f"{host} is no address of this machine", hint="set API_HOST in .env", code="port.unusable")
    return Conflict(
        f"port {port} cannot be used: {error.strerror}", hint=f"set {variable} in .env", code="port.unusable"
    )


def _by_whom(port: int) -> str:
    """The process that listens, as far as this user may know."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()}, process {connection.pid}"
    except (psutil.Error, OSError):
        pass
    return ""
