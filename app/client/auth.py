"""Signing in and out, and the first account of an installation."""

from app.client.credentials import Tokens
from app.client.endpoint import Endpoint, Noun, body_of, endpoint
from app.schemas.auth import LoginRequest, RefreshRequest, SetupRequest, TokenResponse
from app.schemas.users import UserView


class Auth(Noun):
    """`POST /login` and what belongs to it; to sign a client in, use `Client.sign_in`."""

    @endpoint("POST", "/login")
    def login(self, at: Endpoint, username: str, password: str) -> TokenResponse:
        """Tokens for a name and its password; Unauthenticated where they are wrong."""
        body = body_of(LoginRequest, username=username, password=password)
        return at().with_(authenticated=False).json(body).as_(TokenResponse)

    @endpoint("POST", "/refresh")
    def refresh(self, at: Endpoint, refresh_token: str) -> TokenResponse:
        """New tokens for the newest refresh token; an older one ends the sign-in."""
        body = body_of(RefreshRequest, refresh_token=refresh_token)
        return at().with_(authenticated=False).json(body).as_(TokenResponse)

    @endpoint("POST", "/logout")
    def logout(self, at: Endpoint, *, everywhere: bool = False) -> None:
        """End this sign-in, or all of the account."""
        return at().query(everywhere=everywhere).as_(type(None))

    @endpoint("POST", "/setup")
    def setup(self, at: Endpoint, code: str, username: str, password: str) -> UserView:
        """Make the first administrator with the code the server printed at its first start."""
        body = body_of(SetupRequest, code=code, username=username, password=password)
        return at().with_(authenticated=False).json(body).as_(UserView)

    def renew(self, refresh_token: str) -> Tokens:
        """How a connection asks for new tokens."""
        return lasting(self.refresh(refresh_token))


def lasting(answer: TokenResponse) -> Tokens:
    """Tokens as they are kept."""
    return Tokens.lasting(answer.access_token, answer.refresh_token, answer.expires_in)
