"""Workers that take work from the queue."""

from datetime import datetime

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class WorkerRow(Base):
    """One worker process: the kinds of work it does, the devices it does them on, and when it last said so."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kinds: Mapped[list[str]] = mapped_column(JSON)
    devices: Mapped[list[str]] = mapped_column(JSON)
    heard_at: Mapped[datetime]
