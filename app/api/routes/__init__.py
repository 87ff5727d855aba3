"""One module for each noun; `ROUTERS` is all of them, in the order of the documentation."""

from fastapi import APIRouter

from app.api.routes import (
    api_keys,
    artifacts,
    audit,
    auth,
    config,
    datasets,
    experiments,
    health,
    inference,
    me,
    monitor,
    plan,
    predictions,
    shares,
    task,
    tasks,
    train,
    users,
)

ROUTERS: list[APIRouter] = [
    auth.router,
    me.router,
    api_keys.router,
    users.router,
    audit.router,
    train.router,
    plan.router,
    config.router,
    task.router,
    tasks.router,
    experiments.router,
    artifacts.router,
    inference.router,
    predictions.router,
    health.router,
    monitor.router,
    shares.router,  # before datasets: /datasets/{name}/shares is no version of a name
    datasets.router,
]
