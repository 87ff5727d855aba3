"""One module for each noun; `ROUTERS` is all of them, in the order of the documentation."""

from fastapi import APIRouter

ROUTERS: list[APIRouter] = []
