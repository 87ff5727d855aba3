from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from app.data.chunks import Example
from app.data.diff import diff

ROWS = st.lists(
    st.builds(Example, st.sampled_from(["train", "eval"]), st.sampled_from("abcdef"), st.sampled_from("012")),
    max_size=15,
)


def test_added_removed_relabelled_and_moved_rows_are_told_apart() -> None:
    old = [
        Example("train", "a", "0"),
        Example("train", "b", "0"),
        Example("train", "c", "1"),
        Example("eval", "d", "1"),
    ]
    new = [
        Example("train", "b", "1"),
        Example("train", "c", "1"),
        Example("train", "d", "1"),
        Example("eval", "e", "0"),
    ]
    found = diff(old, new)
    assert [(row.text, row.label) for row in found.added] == [("e", "0")]
    assert [(row.text, row.label) for row in found.removed] == [("a", "0")]
    assert [(row.text, row.old_label, row.new_label) for row in found.relabelled] == [("b", "0", "1")]
    assert (found.num_unchanged, found.num_moved) == (2, 1)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_a_diff_turns_the_old_rows_into_the_new(old: list[Example], new: list[Example]) -> None:
    found = diff(old, new)
    rows = Counter((row.text, row.label) for row in old)
    rows.subtract((row.text, row.label) for row in found.removed)
    rows.subtract((row.text, row.old_label) for row in found.relabelled)
    rows.update((row.text, row.label) for row in found.added)
    rows.update((row.text, row.new_label) for row in found.relabelled)
    assert +rows == Counter((row.text, row.label) for row in new)
    assert min(rows.values(), default=0) >= 0
    assert 0 <= found.num_moved <= found.num_unchanged == len(old) - len(found.removed) - len(found.relabelled)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_the_diff_of_the_other_direction_is_the_reverse(old: list[Example], new: list[Example]) -> None:
    there, back = diff(old, new), diff(new, old)
    assert Counter(there.added) == Counter(back.removed)
    assert Counter(there.removed) == Counter(back.added)
    assert Counter((r.text, r.old_label, r.new_label) for r in there.relabelled) == Counter(
        (r.text, r.new_label, r.old_label) for r in back.relabelled
    )
    assert there.num_moved == back.num_moved


@settings(max_examples=20, deadline=None)
@given(ROWS)
def test_order_alone_is_no_difference(rows: list[Example]) -> None:
    found = diff(rows, rows[::-1])
    assert (found.added, found.removed, found.relabelled, found.num_moved) == ([], [], [], 0)
