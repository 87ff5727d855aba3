"""The client: every endpoint of the API by noun, for one server and one person.

with Client("https://finetune.example.org") as client:
    client.sign_in("ada", password)
    accepted = client.train.submit(config)
    client.tasks.wait(accepted.task_id, progress=print)
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from app.client.api_keys import ApiKeys
from app.client.artifacts import Artifacts
from app.client.audit import Audit
from app.client.auth import Auth, lasting
from app.client.connection import Connection
from app.client.credentials import CredentialFile, Tokens
from app.client.datasets import DataSets
from app.client.experiments import Experiments
from app.client.forwarding import Forwarding
from app.client.inference import Inference
from app.client.me import MyAccount
from app.client.predictions import Predictions
from app.client.retrying import Retrying
from app.client.shares import Shares
from app.client.sign_in import Nobody, SignIn, WithTokens, sign_in_of
from app.client.system import System
from app.client.tasks import Tasks
from app.client.train import Config, Training
from app.client.users import Users


class Client:
    """Safe to share among threads. Use as a context manager, or call `close`."""

    def __init__(
        self,
        server: str,
        sign_in: SignIn | None = None,
        *,
        insecure_http: bool = False,
        retrying: Retrying | None = None,
        forwarding: Forwarding | None = None,
    ) -> None:
        self.connection = Connection(
            server, sign_in, insecure_http=insecure_http, retrying=retrying, forwarding=forwarding
        )
        self.auth = Auth(self.connection)
        self.me = MyAccount(self.connection)
        self.api_keys = ApiKeys(self.connection)
        self.users = Users(self.connection)
        self.datasets = DataSets(self.connection)
        self.train = Training(self.connection)
        self.config = Config(self.connection)
        self.tasks = Tasks(self.connection)
        self.experiments = Experiments(self.connection)
        self.artifacts = Artifacts(self.connection)
        self.inference = Inference(self.connection)
        self.predictions = Predictions(self.connection)
        self.shares = Shares(self.connection)
        self.audit = Audit(self.connection)
        self.system = System(self.connection)
        self.connection.renew = self.auth.renew

    @classmethod
    def of_file(cls, server: str, file: CredentialFile) -> Self:
        """A client that is who `finetune login` made it on this machine; Unauthenticated where that is nobody."""
        sign_in, entry = sign_in_of(file, server)
        return cls(server, sign_in, insecure_http=entry.insecure_http)

    @property
    def server(self) -> str:
        """The address of the server."""
        return self.connection.server

    def sign_in(self, username: str, password: str, changed: Callable[[Tokens], None] = lambda _tokens: None) -> Tokens:
        """Be somebody from now on; `changed` hears whenever the tokens are renewed."""
        tokens = lasting(self.auth.login(username, password))
        self.connection.forget()
        self.connection.sign_in = WithTokens(tokens, changed)
        return tokens

    def sign_out(self, *, everywhere: bool = False) -> None:
        """End the sign-in on the server, and be nobody from now on."""
        self.auth.logout(everywhere=everywhere)
        self.connection.forget()
        self.connection.sign_in = Nobody()

    def close(self) -> None:
        """Give the sockets back."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
