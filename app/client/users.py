"""Accounts, for administrators."""

from collections.abc import Iterator

from app.client.endpoint import Endpoint, Noun, body_of, endpoint
from app.client.pages import all_items
from app.domain.principal import Role
from app.schemas.paging import DEFAULT_LIMIT, Page
from app.schemas.users import CreateUser, ResetPassword, UpdateUser, UserView


class Users(Noun):
    """`/users`."""

    @endpoint("GET", "/users")
    def page(
        self,
        at: Endpoint,
        *,
        role: Role | None = None,
        disabled: bool | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[UserView]:
        """Accounts by name, one page."""
        return at().query(role=role, disabled=disabled, limit=limit, cursor=cursor).as_(Page[UserView])

    def all(self, *, role: Role | None = None, disabled: bool | None = None) -> Iterator[UserView]:
        """Accounts by name, all of them."""
        return all_items(lambda cursor, limit: self.page(role=role, disabled=disabled, limit=limit, cursor=cursor))

    @endpoint("POST", "/users")
    def create(self, at: Endpoint, username: str, password: str, role: Role = Role.USER) -> UserView:
        """A new account."""
        return at().once().json(body_of(CreateUser, username=username, password=password, role=role)).as_(UserView)

    @endpoint("GET", "/users/{username}")
    def show(self, at: Endpoint, username: str) -> UserView:
        """One account."""
        return at(username=username).as_(UserView)

    @endpoint("PATCH", "/users/{username}")
    def update(self, at: Endpoint, username: str, changes: UpdateUser) -> UserView:
        """Change role, limits or whether the account is disabled; what `changes` leaves out stays."""
        return at(username=username).json(changes).as_(UserView)

    @endpoint("PUT", "/users/{username}/password")
    def reset_password(self, at: Endpoint, username: str, password: str, *, revoke_api_keys: bool = True) -> None:
        """Give an account another password; its sign-ins end."""
        body = body_of(ResetPassword, password=password, revoke_api_keys=revoke_api_keys)
        return at(username=username).json(body).as_(type(None))
