"""Promises of service.workers.messages."""

import pytest

from service.workers import messages
from service.workers.messages import Message, decode, encode


@pytest.mark.parametrize(
    "message",
    [
        messages.Assignment(1, '{"port": 0}'),
        messages.Connection(),
        messages.Shed(2),
        messages.Change("load", "a model"),
        messages.Changed(3, [2], "größer"),
        messages.Drain(),
        messages.Up(),
        messages.Loaded(1, 2, "cpu", None),
        messages.Refused("why"),
        messages.Draining(),
        messages.Counts(5, 4),
        messages.Ask(1, "unload", "a model"),
        messages.Done(2, "why"),
    ],
)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    """Every kind of message."""
    assert decode(encode(message)) == message


def test_every_kind_is_tried_above() -> None:
    """A new kind of message belongs into that list."""
    (mark,) = test_a_message_arrives_as_it_was_sent.pytestmark  # type: ignore[attr-defined]  # pytest puts it there
    assert {type(message) for message in mark.args[1]} == set(Message.__args__)
