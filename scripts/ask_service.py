"""`make predict-*`: ask the inference service on this machine and print its answer as it came."""

import json
import sys
import urllib.error
import urllib.request

from app.domain.errors import PlatformError
from app.settings import get_settings

TIMEOUT_SECONDS = 60


def ask(path: str, body: dict[str, str] | None = None) -> str:
    """GET `path`, or POST `body` as JSON; the answer's text."""
    url = f"http://127.0.0.1:{get_settings().serve_port}{path}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=TIMEOUT_SECONDS) as answer:
        return answer.read().decode()


def main(arguments: list[str]) -> int:
    """`health`, or `predict TEXT`."""
    try:
        if arguments == ["health"]:
            print(ask("/health"))
        elif len(arguments) == 2 and arguments[0] == "predict" and arguments[1].strip():
            print(ask("/predict", {"text": arguments[1]}))
        else:
            print("error: there is no text to classify", file=sys.stderr)
            print("  hint: make predict-text text='What a lovely place.'", file=sys.stderr)
            return 2
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except urllib.error.HTTPError as error:
        print(f"error: the service answered {error.code}: {error.read().decode(errors='replace')}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: no inference service answers on port {get_settings().serve_port}: {error}", file=sys.stderr)
        print("  hint: start it with: make serve", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
