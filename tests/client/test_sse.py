"""Server-sent events, as bytes may arrive."""

import pytest

from app.client.sse import read_events
from app.domain.errors import ServiceUnavailable

STREAM = b'retry: 1500\r\n: still there\r\nid: 7\r\nevent: step\r\ndata: {"loss": 1}\r\n\r\ndata: a\ndata:b\n\n: end\n'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_in_pieces_of_any_size(size: int) -> None:
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    first, second = read_events(pieces)
    assert (first.name, first.data, first.id, first.retry_seconds) == ("step", '{"loss": 1}', "7", 1.5)
    assert (second.name, second.data, second.id) == ("message", "a\nb", "7")


def test_characters_that_end_lines_elsewhere_are_part_of_the_data() -> None:
    text = "列一\u2028\u0085\x0b行"
    pieces = [bytes([byte]) for byte in f"data: {text}\n\n".encode()]
    assert [event.data for event in read_events(pieces)] == [text]


def test_an_event_that_is_cut_off_is_none() -> None:
    assert list(read_events([b"data: whole\n\ndata: half\n"]))[-1].data == "whole"


def test_a_field_that_means_nothing_is_passed_over() -> None:
    [event] = read_events([b"nonsense\nretry: soon\nid: a\0b\ndata\ndata: x\n\n"], last_id="3")
    assert (event.data, event.id, event.retry_seconds) == ("\nx", "3", None)


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    with pytest.raises(ServiceUnavailable, match="without an end"):
        list(read_events([b"x" * 1_000_000] * 5))
