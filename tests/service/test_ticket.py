"""Promises of service.ticket."""

import threading

import pytest

from service import ticket
from service.errors import AbandonedError
from service.ticket import Ticket


def test_a_ticket_that_is_given_up_stops_its_job() -> None:
    """At the next check, and not before."""
    mine = Ticket()
    mine.check()
    mine.give_up()
    with pytest.raises(AbandonedError, match="nobody waits"):
        mine.check()


def test_each_thread_has_the_ticket_of_its_own_job() -> None:
    """To enter one in a thread changes nothing in another."""
    mine, found = Ticket(), []

    def work() -> None:
        ticket.enter(mine)
        found.append(ticket.current())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [mine]
    assert ticket.current() is not mine


def test_outside_of_jobs_nobody_gives_up() -> None:
    """A command has no caller who could hang up."""
    ticket.current().check()
