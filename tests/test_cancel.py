"""A one-way flag that any thread may set."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.cancel import Cancelled, CancelToken


def test_a_new_token_lets_work_go_on():
    """Nothing is cancelled by itself."""
    token = CancelToken()
    token.check()
    assert not token.cancelled


def test_a_cancelled_token_stops_work_for_good():
    """Once set, the flag stays, and `check` raises each time."""
    token = CancelToken()
    token.cancel()
    assert token.cancelled
    for _ in range(2):
        with pytest.raises(Cancelled):
            token.check()


def test_cancelled_is_no_error():
    """`except Exception` lets it through: nobody takes an outcome for a failure."""
    assert not issubclass(Cancelled, Exception)


@given(
    steps=st.lists(st.tuples(st.sampled_from(["listen", "forget", "cancel"]), st.integers(0, 2)), max_size=12),
)
def test_each_listener_hears_of_it_once_while_it_listens(steps):
    """Called on cancellation or, when that has been, at once; never after it was forgotten, never twice."""
    token, heard, expected, listening, cancelled = CancelToken(), [], [], [], False
    listeners = [lambda number=number: heard.append(number) for number in range(3)]
    for step, number in steps:
        if step == "listen":
            token.listen(listeners[number])
            (expected if cancelled else listening).append(number)
        elif step == "forget":
            token.forget(listeners[number])
            if number in listening:
                listening.remove(number)
        else:
            token.cancel()
            expected += [] if cancelled else listening
            listening, cancelled = [], True
        assert heard == expected


def test_a_forgotten_listener_does_not_run_any_more():
    """Whatever the threads do, a listener never runs after `forget` came back."""
    for _ in range(200):
        token, gone, wrong = CancelToken(), threading.Event(), []
        listener = lambda gone=gone, wrong=wrong: wrong.append(1) if gone.is_set() else None  # noqa: E731
        token.listen(listener)
        other = threading.Thread(target=token.cancel)
        other.start()
        token.forget(listener)
        gone.set()
        other.join()
        assert not wrong


def test_many_threads_cancel_once():
    """However many cancel and listen at the same time, each listener runs exactly once."""
    token, heard, start = CancelToken(), [], threading.Barrier(8)

    def work(number):
        start.wait()
        token.listen(lambda: heard.append(number))
        token.cancel()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == list(range(8))


def test_a_listener_that_fails_leaves_the_token_usable():
    """The failure reaches whoever cancelled; the flag is set and the lock is free."""
    token = CancelToken()
    token.listen(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        token.cancel()
    assert token.cancelled
    token.cancel()
    token.forget(print)
