"""A server of HTTP/2 by prior knowledge, which does one odd thing: server.py PORT WHAT

It says "ready", and then what comes: "HEAD 1" is a request on stream 1, "reset 1 8" its reset with a code, "ended" the
end of a connection. Where it waits for the test, a line of its standard input lets it go on.
"""
import socket
import sys
import threading

from hpack import Decoder, Encoder
from hyperframe import frame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
lock = threading.Lock()
lines = threading.Semaphore(0)


def say(*words):
    with lock:
        print(*words, flush=True)


def go_on():
    lines.acquire()


class Connection:
    settings = {}

    def __init__(self, made):
        self.socket = made
        self.unread = b""
        self.decoder = Decoder()
        self.begin()
        threading.Thread(target=self.serve, daemon=True).start()

    def begin(self):
        self.send(frame.SettingsFrame(0, settings=self.settings))

    def send(self, *frames):
        """All at once, so that they are read at once."""
        try:
            self.socket.sendall(b"".join(one if isinstance(one, bytes) else one.serialize() for one in frames))
        except OSError:
            pass

    def head(self, stream, *fields, status="200", ends=False):
        block = Encoder().encode([(":status", status, True), *((name, value, True) for name, value in fields)])
        return frame.HeadersFrame(stream, data=block, flags=["END_HEADERS", *(["END_STREAM"] if ends else [])])

    def serve(self):
        try:
            self.read(len(PREFACE))
            while True:
                made, length = frame.Frame.parse_frame_header(memoryview(self.read(9)))
                made.parse_body(memoryview(self.read(length)))
                self.take(made)
        except (EOFError, OSError):
            say("ended")

    def read(self, count):
        while len(self.unread) < count:
            came = self.socket.recv(65536)
            if not came:
                raise EOFError
            self.unread += came
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken

    def take(self, came):
        if isinstance(came, frame.SettingsFrame) and "ACK" not in came.flags:
            self.send(frame.SettingsFrame(0, flags=["ACK"]))
        elif isinstance(came, frame.PingFrame) and "ACK" not in came.flags:
            self.send(frame.PingFrame(0, opaque_data=came.opaque_data, flags=["ACK"]))
        elif isinstance(came, frame.RstStreamFrame):
            say("reset", came.stream_id, came.error_code)
            self.was_reset(came.stream_id)
        elif isinstance(came, frame.HeadersFrame):
            fields = dict(self.decoder.decode(came.data))
            if ":method" in fields:
                say(fields[":method"], came.stream_id)
                self.asked(came.stream_id, fields)
            if "END_STREAM" in came.flags:
                self.ended(came.stream_id)
        elif isinstance(came, frame.DataFrame):
            self.content(came.stream_id, came.data)
            if "END_STREAM" in came.flags:
                self.ended(came.stream_id)

    # What the odd ones do otherwise.
    def asked(self, stream, fields):
        pass

    def content(self, stream, data):
        pass

    def ended(self, stream):
        """The request is whole."""
        self.send(self.head(stream), frame.DataFrame(stream, data=b"hello", flags=["END_STREAM"]))

    def was_reset(self, stream):
        pass


class LateSettings(Connection):
    """Each connection waits for the test."""

    def begin(self):
        say("connected")

    def serve(self):
        go_on()
        super().begin()
        super().serve()


class LateEnd(Connection):
    """What has no content ends in another frame, and later."""

    def ended(self, stream):
        self.send(self.head(stream, ("content-length", "5")))
        go_on()
        self.send(frame.DataFrame(stream, flags=["END_STREAM"]))


class StrayFrame(Connection):
    def ended(self, stream):
        self.send(self.head(stream), frame.DataFrame(stream, data=b"hello", flags=["END_STREAM"]),
                  frame.DataFrame(stream, data=b"more"))


class BrokenFrame(Connection):
    def ended(self, stream):
        self.send(self.head(stream), frame.DataFrame(stream, data=b"hello", flags=["END_STREAM"]),
                  frame.WindowUpdateFrame(0, window_increment=0))


class FewStreams(Connection):
    """More than it allows is a failure, and not only of the stream."""

    settings = {3: 2}

    def __init__(self, made):
        self.open = set()
        super().__init__(made)

    def asked(self, stream, fields):
        self.open.add(stream)
        if len(self.open) > 2:
            say("too many")
            self.socket.shutdown(socket.SHUT_RDWR)

    def ended(self, stream):
        threading.Thread(target=self.answer, args=[stream], daemon=True).start()

    def answer(self, stream):
        go_on()
        self.open.discard(stream)
        super().ended(stream)

    def was_reset(self, stream):
        self.open.discard(stream)


class NoStreams(Connection):
    """At first."""

    settings = {3: 0}

    def begin(self):
        super().begin()
        say("full")
        threading.Thread(target=self.allow, daemon=True).start()

    def allow(self):
        go_on()
        self.send(frame.SettingsFrame(0, settings={3: 100}))


class EndsWhileItIsSentMore(Connection):
    """A whole response, and a reset of the connection behind it, while the request is still coming."""

    settings = {4: 1 << 20}

    def asked(self, stream, fields):
        self.send(frame.WindowUpdateFrame(0, window_increment=1 << 24))

    def content(self, stream, data):
        if not data:
            return
        say("content")
        go_on()
        pieces = [frame.DataFrame(stream, data=b"x" * 10_000) for _ in range(4)]
        self.send(self.head(stream), *pieces, frame.DataFrame(stream, data=b"end", flags=["END_STREAM"]))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()  # by a reset
        say("closed")


class Silent(Connection):
    """It never answers."""

    def ended(self, stream):
        say("asked")


class GivesNoCredit(Connection):
    """It allows all of a body at once, and says nothing before its answer, which is how long the body was."""

    settings = {4: 1 << 24}
    total = 0

    def begin(self):
        super().begin()
        self.send(frame.WindowUpdateFrame(0, window_increment=1 << 30))

    def asked(self, stream, fields):
        self.total = 0

    def content(self, stream, data):
        self.total += len(data)

    def ended(self, stream):
        text = str(self.total).encode()
        self.send(self.head(stream), frame.DataFrame(stream, data=text, flags=["END_STREAM"]))


class ReadsLate(GivesNoCredit):
    """Of a request it reads only the head until the test says so."""

    def asked(self, stream, fields):
        super().asked(stream, fields)
        go_on()


def main():
    kind = globals()[sys.argv[2]]
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)  # so that bytes wait in the proxy
    say("ready")

    def accept():
        while True:
            made, _ = listener.accept()
            kind(made)

    threading.Thread(target=accept, daemon=True).start()
    for _ in sys.stdin:
        lines.release()


main()
