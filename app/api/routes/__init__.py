"""One module for each noun; `ROUTERS` is all of them, in the order of the documentation."""

from fastapi import APIRouter

from app.api.routes import api_keys, audit, auth, datasets, me, shares, users

ROUTERS: list[APIRouter] = [
    auth.router,
    me.router,
    api_keys.router,
    users.router,
    audit.router,
    datasets.router,
    shares.router,
]
