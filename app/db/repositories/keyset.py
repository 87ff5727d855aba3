"""Pages of one table by keyset, quick however many rows it has and whatever is asked of them.

Which way is quick depends on how many rows meet the conditions, which no planner knows for sure:

- few rows meet one condition: they are collected by its index, checked for the others and sorted in memory;
- many do: the index of the order is walked until a page is full, checking each row;
- neither helps (conditions that many rows meet each and few meet together): the table is read once.

Every way but the last looks at a bounded number of rows. Rows without a value come last in either direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Row,
    Select,
    SQLColumnExpression,
    and_,
    false,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

MAX_COUNTED = 10_000
"""Matches are counted up to so many."""
MAX_COLLECTED = 10_000
"""So many rows are read and sorted to count the matches of several conditions."""
MAX_WALKED = 2_000
"""Rows looked at in search of a full page; so few are sorted sooner than an index is walked."""


Query = Select[*tuple[Any, ...]]
Column = SQLColumnExpression[Any]


@dataclass(frozen=True)
class Key:
    """A column to order by."""

    column: InstrumentedAttribute[Any]
    descending: bool


@dataclass(frozen=True)
class Part:
    """One of the conditions that must all hold.

    `clause` is it as an index of `column` serves it, `loose` as none does; `column` is None where no index can help.
    `counted` finds the same rows as `clause` where that is quicker to begin with.
    """

    clause: ColumnElement[bool]
    loose: ColumnElement[bool]
    column: InstrumentedAttribute[Any] | None = None
    counted: CompoundSelect[Any] | None = None


@dataclass(frozen=True)
class Found:
    """`rows` are the unique key and then the sort keys of each item; `total` is None where it was not counted."""

    rows: list[Row[Any]]
    total: int | None
    has_more: bool


@dataclass(frozen=True)
class Keyset:
    """A list: `unique` breaks ties, in the direction of the first of `keys`; `parts` are its conditions."""

    unique: InstrumentedAttribute[Any]
    keys: tuple[Key, ...]
    parts: tuple[Part, ...] = ()

    def page(self, session: Session, after: Sequence[Any] | None, limit: int) -> Found:
        """At most `limit` items after the one whose sort keys and unique key are `after`, both as they were found."""
        counts: list[tuple[int, Part | None]] = [
            (self._count(session, part), part) for part in self.parts if part.column is not None
        ]
        if not counts:
            counts = [(self._count(session, None), None)]
        fewest, driver = min(counts, key=lambda one: one[0])
        total = self._total(fewest)
        if self.parts and fewest <= (MAX_WALKED if total is not None else MAX_COLLECTED):
            return self._collect(session, driver, after, limit)
        rows = self._walk(session, after, limit)
        if len(rows) > limit or not self.parts:
            return Found(rows[:limit], total, len(rows) > limit)
        return self._collect(session, driver if fewest <= MAX_COUNTED else None, after, limit)

    def _total(self, fewest: int) -> int | None:
        """How many items there are, where that is known without looking at each."""
        if len(self.parts) > 1 or (self.parts and self.parts[0].column is None) or fewest > MAX_COUNTED:
            return None
        return fewest

    def _count(self, session: Session, part: Part | None) -> int:
        """How many rows meet one condition, or are there at all; MAX_COUNTED + 1 stands for more."""
        if part is None and session.get_bind().dialect.name == "sqlite":
            # It counts a table by the pages of its smallest index, sooner than it reads so many rows.
            number = session.scalar(select(func.count()).select_from(self.unique.class_)) or 0
            return min(number, MAX_COUNTED + 1)
        query: Select[Any] | CompoundSelect[Any] = select(self.unique)
        if part is not None:
            query = part.counted if part.counted is not None else select(self.unique).where(part.clause)
        limited = query.limit(MAX_COUNTED + 1).subquery()
        return session.scalar(select(func.count()).select_from(limited)) or 0

    def _collect(self, session: Session, driver: Part | None, after: Sequence[Any] | None, limit: int) -> Found:
        """Read the rows that meet `driver`, or the whole table; check, count and sort them."""
        conditions = [part.clause if part is driver else part.loose for part in self.parts]
        # Collected once: the planner shall not push order and limit into it and walk an index after all.
        matching = self._selected().where(*conditions).cte("matching").prefix_with("MATERIALIZED")
        unique, *columns = matching.c
        order = self._order(unique, columns)
        count = select(func.count()).select_from(matching)
        query = select(matching, count.scalar_subquery().label("total"))
        if after is not None:
            query = query.where(_beyond(order, after))
        rows = list(session.execute(query.order_by(*_in_order(order)).limit(limit + 1)))
        if not rows:
            return Found([], 0 if after is None else None, has_more=False)
        total = rows[0].total
        return Found(rows[:limit], total if total <= MAX_COUNTED else None, len(rows) > limit)

    def _walk(self, session: Session, after: Sequence[Any] | None, limit: int) -> list[Row[Any]]:
        """Follow the index of the first key: first the rows that have a value, then those that have none.

        Where there are conditions, only the first MAX_WALKED rows are looked at.
        """
        first, rest = self.keys[0], self._order(self.unique, [key.column for key in self.keys])[1:]
        rows: list[Row[Any]] = []
        if after is None or after[0] is not None:
            query = self._selected().where(first.column.is_not(None))
            if after is not None:
                query = query.where(self._beyond_first(after))
            query = query.order_by(first.column.desc() if first.descending else first.column.asc(), *_in_order(rest))
            rows = list(session.execute(self._checked(session, query).limit(limit + 1)))
        if first.column.nullable and not self.parts and len(rows) <= limit:
            query = self._selected().where(first.column.is_(None))
            if after is not None and after[0] is None:
                query = query.where(_beyond(rest, after[1:]))
            rows += session.execute(query.order_by(*_in_order(rest)).limit(limit + 1 - len(rows)))
        return rows

    def _checked(self, session: Session, walk: Query) -> Query:
        """A walk of at most MAX_WALKED rows that keeps those which meet all conditions."""
        if not self.parts:
            return walk
        first = self.keys[0]
        walk = walk.where(*(part.clause for part in self.parts if part.column is first.column))
        last = session.execute(walk.offset(MAX_WALKED).limit(1)).first()
        if last is not None:
            walk = walk.where(first.column >= last.key_0 if first.descending else first.column <= last.key_0)
        return walk.where(*(part.loose for part in self.parts if part.column is not first.column))

    def _selected(self) -> Query:
        columns = [key.column.label(f"key_{number}") for number, key in enumerate(self.keys)]
        return select(self.unique.label("unique_key"), *columns)

    def _order(self, unique: Column, columns: Sequence[Column]) -> list[tuple[Column, bool]]:
        """The columns to order by, the unique one last, each with whether it descends."""
        pairs = [(column, key.descending) for column, key in zip(columns, self.keys, strict=True)]
        return [*pairs, (unique, self.keys[0].descending)]

    def _beyond_first(self, after: Sequence[Any]) -> ColumnElement[bool]:
        """What comes after an item that has a first key, in a form the index of that key serves."""
        key = self.keys[0]
        if len(self.keys) == 1:
            mine, theirs = tuple_(key.column, self.unique), tuple_(*after)
            return mine < theirs if key.descending else mine > theirs
        bound = key.column <= after[0] if key.descending else key.column >= after[0]
        return and_(bound, _beyond(self._order(self.unique, [key.column for key in self.keys]), after))


def _in_order(order: Sequence[tuple[Column, bool]]) -> list[Column]:
    return [column.desc().nulls_last() if descending else column.asc().nulls_last() for column, descending in order]


def _beyond(order: Sequence[tuple[Column, bool]], after: Sequence[Any]) -> ColumnElement[bool]:
    """What comes after the item with these values: later in one column and equal in all before it."""
    ways: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for (column, descending), value in zip(order, after, strict=True):
        ways.append(and_(*equal, _later(column, descending, value)))
        equal.append(column.is_(None) if value is None else column == value)
    return or_(*ways)


def _later(column: Column, descending: bool, value: Any) -> ColumnElement[bool]:
    if value is None:
        return false()
    return or_(column < value if descending else column > value, column.is_(None))
