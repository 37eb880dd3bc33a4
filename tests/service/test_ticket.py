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


def test_a_step_that_is_told_is_stopped() -> None:
    """When the ticket is given up, also where it was given up just before the step began; the last step counts."""
    mine, stopped = Ticket(), list[str]()
    mine.have_stopped(lambda: stopped.append("first"))
    mine.have_stopped(lambda: stopped.append("second"))
    assert stopped == []
    mine.give_up()
    assert stopped == ["second"]
    mine.have_stopped(lambda: stopped.append("late"))
    assert stopped == ["second", "late"]


def test_work_that_takes_longer_than_it_may_is_given_up() -> None:
    """Behind it, the thread has the ticket that it had before; an error ends it as well."""
    before, stopped = Ticket(), threading.Event()
    ticket.enter(before)
    try:
        with ticket.limited(0.01):
            limited = ticket.current()
            limited.have_stopped(stopped.set)
            assert stopped.wait(60)
        assert limited.given_up
        assert ticket.current() is before
        with pytest.raises(ZeroDivisionError), ticket.limited(60):
            raise ZeroDivisionError
        assert ticket.current() is before
    finally:
        ticket.enter(Ticket())


def test_work_that_ends_in_time_leaves_no_clock_behind() -> None:
    """Nor does a clock hold up the end of the process."""
    before = set(threading.enumerate())
    with ticket.limited(3600):
        (clock,) = set(threading.enumerate()) - before
    clock.join(60)
    assert not clock.is_alive()
    assert clock.daemon
