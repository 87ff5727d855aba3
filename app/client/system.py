"""Does the server live, can it work, what does it count."""

from app.client.endpoint import Endpoint, Noun, endpoint
from app.schemas.health import Health, Readiness
from app.schemas.monitor import MonitorView


class System(Noun):
    """`/health`, `/ready`, `/metrics` and `/monitor`."""

    @endpoint("GET", "/health")
    def health(self, at: Endpoint) -> Health:
        """The process answers."""
        return at().with_(authenticated=False).as_(Health)

    @endpoint("GET", "/ready")
    def ready(self, at: Endpoint) -> Readiness:
        """All it needs answers too; ServiceUnavailable where something does not."""
        return at().with_(authenticated=False).as_(Readiness)

    @endpoint("GET", "/metrics")
    def metrics(self, at: Endpoint) -> str:
        """Counters and gauges in the text format of Prometheus."""
        return at().as_(str)

    @endpoint("GET", "/monitor")
    def monitor(self, at: Endpoint) -> MonitorView:
        """Workers, what waits, what runs and how fast; for administrators."""
        return at().as_(MonitorView)
