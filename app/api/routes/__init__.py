"""One module for each noun; `ROUTERS` is all of them, in the order of the documentation."""

from fastapi import APIRouter

from app.api.routes import audit

ROUTERS: list[APIRouter] = [audit.router]
