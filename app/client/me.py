"""One's own account: who one is, the password, where one is signed in."""

from app.client.endpoint import Endpoint, Noun, body_of, endpoint
from app.schemas.paging import Page
from app.schemas.users import ChangePassword, Me, SessionView


class MyAccount(Noun):
    """`/me`."""

    @endpoint("GET", "/me")
    def show(self, at: Endpoint) -> Me:
        """The account that asks: its role, what it may do, its limits."""
        return at().as_(Me)

    @endpoint("PUT", "/me/password")
    def change_password(self, at: Endpoint, current: str, new: str, *, revoke_api_keys: bool = False) -> None:
        """Take another password; every other sign-in ends, and the API keys where that is wanted."""
        body = body_of(ChangePassword, current_password=current, new_password=new, revoke_api_keys=revoke_api_keys)
        return at().json(body).as_(type(None))

    @endpoint("GET", "/me/sessions")
    def sessions(self, at: Endpoint) -> list[SessionView]:
        """Where this account is signed in, newest first."""
        return at().as_(Page[SessionView]).items

    @endpoint("DELETE", "/me/sessions/{session_id}")
    def end_session(self, at: Endpoint, session_id: str) -> None:
        """End one sign-in."""
        return at(session_id=session_id).as_(type(None))
