"""One module a page: fetch, render, call the client."""

from app.ui.pages import home

__all__ = ["home"]
