"""Bytes without end that both sides of a stream can compute: what was lost, doubled, reordered or altered differs."""
import random

PERIOD = 1_048_583  # A prime: no buffer's size and no number of whole frames divides it.


class Content:
    def __init__(self, stream):
        period = random.Random(stream).randbytes(PERIOD)
        self._bytes = memoryview(period + period)

    def at(self, offset, size):
        """`size` bytes from `offset` on; at most a period."""
        start = offset % PERIOD
        return self._bytes[start:start + size]


def event(number):
    """The text of a server-sent event."""
    return f"id: {number}\ndata: {'-'.join(str(number * step) for step in range(1, 9))}\n\n".encode()


def small_answer(name):
    return f"This is the answer to {name}.\n".encode() * 7
