"""Duties that one process at a time does for the whole installation."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class LeaseRow(Base):
    """Who does a duty until when; `done_at` is when it was last done to its end."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(36))
    expires_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
