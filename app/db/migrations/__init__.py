"""Schema history. `HEAD` is the newest revision, so that a start-up that has nothing to migrate loads no Alembic."""

HEAD = "0005"
