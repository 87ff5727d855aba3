"""Headers of every answer: an id to ask about it, and what keeps browsers careful."""

REQUEST_ID = "X-Request-ID"

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer that has no other words for them."""


def headers_of(request_id: str) -> dict[str, str]:
    """What an answer that carries no content of ours has."""
    return {REQUEST_ID: request_id, **SECURITY_HEADERS}
