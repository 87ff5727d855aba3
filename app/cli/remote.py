"""An installation on another machine: commands reach it through the client."""


class RemoteBackend:
    """A server's installation, by noun."""

    def __init__(self, address: str) -> None:
        raise NotImplementedError(address)
