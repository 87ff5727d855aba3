"""One module a page: fetch, render, call the client."""

from app.ui.pages import account, administration, data, experiments, home, monitor, tasks, train, try_it

__all__ = ["account", "administration", "data", "experiments", "home", "monitor", "tasks", "train", "try_it"]
