"""Who else may read a data set or an experiment."""

from app.client.endpoint import Endpoint, Noun, body_of, endpoint
from app.schemas.paging import Page
from app.schemas.shares import ShareRequest, ShareView


class Shares(Noun):
    """`/datasets/{name}/shares` and `/experiments/{name}/shares`; the grantee `*` is everyone."""

    @endpoint("GET", "/datasets/{name}/shares")
    def of_data_set(self, at: Endpoint, name: str) -> list[ShareView]:
        """With whom a data set is shared."""
        return at(name=name).as_(Page[ShareView]).items

    @endpoint("POST", "/datasets/{name}/shares")
    def share_data_set(self, at: Endpoint, name: str, grantee: str) -> ShareView:
        """Let somebody read a data set and train on it."""
        return at(name=name).once().json(body_of(ShareRequest, grantee=grantee)).as_(ShareView)

    @endpoint("DELETE", "/datasets/{name}/shares/{grantee}")
    def unshare_data_set(self, at: Endpoint, name: str, grantee: str) -> None:
        """Take that back."""
        return at(name=name, grantee=grantee).as_(type(None))

    @endpoint("GET", "/experiments/{name}/shares")
    def of_experiment(self, at: Endpoint, name: str) -> list[ShareView]:
        """With whom an experiment is shared."""
        return at(name=name).as_(Page[ShareView]).items

    @endpoint("POST", "/experiments/{name}/shares")
    def share_experiment(self, at: Endpoint, name: str, grantee: str) -> ShareView:
        """Let somebody read an experiment with its files."""
        return at(name=name).once().json(body_of(ShareRequest, grantee=grantee)).as_(ShareView)

    @endpoint("DELETE", "/experiments/{name}/shares/{grantee}")
    def unshare_experiment(self, at: Endpoint, name: str, grantee: str) -> None:
        """Take that back."""
        return at(name=name, grantee=grantee).as_(type(None))
