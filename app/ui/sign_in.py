"""Signing in and out, in plain HTML: only an answer of the server can set a cookie that no script can read."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.client.auth import lasting
from app.client.client import Client
from app.domain.errors import PlatformError, TooManyRequests, Unauthenticated
from app.schemas.auth import TokenResponse
from app.ui.components.problem_words import in_words
from app.ui.gate import COOKIE, LANGUAGE_COOKIE, SIGN_IN
from app.ui.sessions import SECONDS_KEPT, Sessions
from app.ui.words import LANGUAGES, N_, Words, language_of

_PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
_CONTENT = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_YEAR = 365 * 86_400
MAX_FORM_FIELDS = 10


class SignInPages:
    """`/sign-in`, `/sign-out`, `/setup` and `/language/{code}`; cookies are for TLS alone where `secure`."""

    def __init__(self, sessions: Sessions, *, secure: bool) -> None:
        self._sessions, self._secure = sessions, secure

    def routes(self) -> list[Route]:
        """For the application."""
        return [
            Route(SIGN_IN, self.show, methods=["GET"]),
            Route(SIGN_IN, self.sign_in, methods=["POST"]),
            Route("/setup", self.show_setup, methods=["GET"]),
            Route("/setup", self.set_up, methods=["POST"]),
            Route("/sign-out", self.show_sign_out, methods=["GET"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/language/{code}", self.choose_language, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        """The form, or straight on where somebody is signed in already."""
        known = self._sessions.find(request.cookies.get(COOKIE))
        if known is not None and "again" not in request.query_params:
            return RedirectResponse(_next(request.query_params.get("next", "")), 303)
        return self._page(request, "sign-in", username=known.username if known else "")

    async def sign_in(self, request: Request) -> Response:
        """Try name and password; the cookie and the page one came for, or the form with the reason."""
        form = await _form(request)
        username, password = form.get("username", ""), form.get("password", "")
        typed = {"username": username, "next": form.get("next", "")}
        if not username or not password:
            return self._page(request, "sign-in", 422, fault=N_("Fill in both fields."), **typed)
        try:
            answer = await run_in_threadpool(self._login, request, username, password)
        except PlatformError as error:
            return self._page(request, "sign-in", _status(error), fault=error, **typed)
        begun = (username, lasting(answer), request.cookies.get(COOKIE))
        session_id = await run_in_threadpool(self._sessions.begin, *begun)
        response = RedirectResponse(_next(form.get("next", "")), 303)
        response.set_cookie(
            COOKIE, session_id, max_age=SECONDS_KEPT, httponly=True, samesite="lax", secure=self._secure
        )
        return response

    async def show_setup(self, request: Request) -> Response:
        """The form for the first account."""
        return self._page(request, "setup")

    async def set_up(self, request: Request) -> Response:
        """Make the first administrator with the code of the first start, then ask it to sign in."""
        form = await _form(request)
        username = form.get("username", "")
        try:
            await run_in_threadpool(
                self._setup, request, form.get("code", "").strip(), username, form.get("password", "")
            )
        except PlatformError as error:
            return self._page(request, "setup", _status(error), fault=error, username=username)
        return self._page(request, "sign-in", note=N_("The account is there. Sign in with it."), username=username)

    async def show_sign_out(self, request: Request) -> Response:
        """Sign out where our own page asks for it; else ask, since another site may have set a link."""
        if request.headers.get("sec-fetch-site") == "same-origin":
            return await self.sign_out(request)
        return self._page(request, "sign-out")

    async def sign_out(self, request: Request) -> Response:
        """End the sign-in here and on the server."""
        session_id = request.cookies.get(COOKIE)
        known = self._sessions.find(session_id)
        if known is not None:
            await run_in_threadpool(_end, known.client)
        self._sessions.end(session_id)
        response = self._page(request, "sign-in", note=N_("You are signed out."))
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=self._secure)
        return response

    async def choose_language(self, request: Request) -> Response:
        """Remember a language and go back."""
        code = request.path_params["code"]
        response = RedirectResponse(_next(request.query_params.get("next", ""), ("/sign-out", "/language")), 303)
        if code in LANGUAGES:
            response.set_cookie(LANGUAGE_COOKIE, code, max_age=_YEAR, samesite="lax", secure=self._secure)
        return response

    def _stranger(self, request: Request) -> Client:
        return self._sessions.stranger(request.client.host if request.client else None)

    def _login(self, request: Request, username: str, password: str) -> TokenResponse:
        with self._stranger(request) as client:
            return client.auth.login(username, password)

    def _setup(self, request: Request, code: str, username: str, password: str) -> None:
        with self._stranger(request) as client:
            client.auth.setup(code, username, password)

    def _page(self, request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        words = Words(language_of(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", "")))
        fault = values.pop("fault", "")
        next_path = _next(values.pop("next", request.query_params.get("next", "")))
        content = _PAGES.get_template("sign_in.html.j2").render(
            t=words,
            page=name,
            languages=LANGUAGES,
            here=_here(request, name, next_path),
            next=next_path,
            fault=_sentence(words, fault),
            **values,
        )
        return HTMLResponse(content, status, {"Content-Security-Policy": _CONTENT, "Cache-Control": "no-store"})


def _next(path: str, never: tuple[str, ...] = (SIGN_IN, "/sign-out", "/setup", "/language")) -> str:
    """A path of ours to go on to; anything else is home."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours and not path.startswith(never) else "/"


def _here(request: Request, page: str, next_path: str) -> str:
    """The address that shows the same page again."""
    if page != "sign-in":
        return f"/{page}"
    query = {"again": "1"} if "again" in request.query_params else {}
    if next_path != "/":
        query["next"] = next_path
    return f"{SIGN_IN}?{urlencode(query)}" if query else SIGN_IN


async def _form(request: Request) -> dict[str, str]:
    async with request.form(max_files=0, max_fields=MAX_FORM_FIELDS) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def _end(client: Client) -> None:
    try:
        client.sign_out()
    except PlatformError:
        # The tokens are forgotten here in any case, and end by themselves.
        return


def _status(error: PlatformError) -> int:
    if isinstance(error, Unauthenticated):
        return 401
    return 429 if isinstance(error, TooManyRequests) else 503 if error.retryable else 422


def _sentence(words: Words, fault: PlatformError | str) -> str:
    if isinstance(fault, str):
        return words(fault) if fault else ""
    if isinstance(fault, TooManyRequests):
        return words("Too many attempts. Try again in {time}.", time=words.duration(fault.retry_after_seconds))
    if isinstance(fault, Unauthenticated):
        return words("The name or the password is wrong.")
    return words("The platform does not answer. Try again in a moment.") if fault.retryable else in_words(fault, words)
