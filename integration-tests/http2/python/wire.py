"""What the scripts have in common: a connection over TLS with h2, by frames, and what became of it."""
import socket
import ssl
import sys

from hpack import Decoder, Encoder
from hyperframe import frame

HEAD = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/bytes/10")]


def connect(port, ca):
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["h2"])
    made = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20), server_hostname="localhost")
    assert made.selected_alpn_protocol() == "h2", made.selected_alpn_protocol()
    return made


def half():
    """In the middle of it all: the test upgrades Baton, and says so."""
    print("half", flush=True)
    assert sys.stdin.readline() == "go on\n"


class Ended(Exception):
    """The connection; `said` is what came last."""

    def __init__(self, said):
        super().__init__(said)
        self.said = said


class Wire:
    """Sends any frames, in any order, and keeps no rules."""

    def __init__(self, port, ca, settings=None):
        self.socket = connect(port, ca)
        self.blocks = {}
        self.unread = b""
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame.SettingsFrame(0, settings=settings or {}))

    def send(self, *what):
        """Frames or bytes."""
        data = b"".join(part if isinstance(part, bytes) else part.serialize() for part in what)
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.await_end()

    def block(self, head):
        """Without the dynamic table, so that it can be sent any number of times."""
        key = tuple(head)
        if key not in self.blocks:
            self.blocks[key] = Encoder().encode([(name, value, True) for name, value in head])
        return self.blocks[key]

    def headers(self, stream, head=None, flags=("END_HEADERS", "END_STREAM"), **more):
        return frame.HeadersFrame(stream, data=self.block(head or HEAD), flags=flags, **more)

    def request(self, stream, path, method="POST", flags=("END_HEADERS",), fields=()):
        head = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path), *fields]
        return self.headers(stream, head, flags)

    def next_frame(self):
        """Of what has come; its header blocks stay encoded. None: it is not whole."""
        if len(self.unread) < 9:
            return None
        made, length = frame.Frame.parse_frame_header(memoryview(self.unread[:9]))
        if len(self.unread) < 9 + length:
            return None
        made.parse_body(memoryview(self.unread[9:9 + length]))
        self.unread = self.unread[9 + length:]
        if isinstance(made, frame.GoAwayFrame):
            raise Ended(f"goaway {made.error_code}")
        return made

    def receive(self):
        while True:
            made = self.next_frame()
            if made:
                return made
            try:
                came = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError):
                came = b""
            if not came:
                raise Ended("no goaway")
            self.unread += came

    def receive_now(self):
        """Drops what has come already, so that the other side can go on to send."""
        self.socket.setblocking(False)
        try:
            while True:
                came = self.socket.recv(65536)
                if not came:
                    break
                self.unread += came
        except (ssl.SSLWantReadError, ConnectionResetError, ssl.SSLEOFError):
            pass
        finally:
            self.socket.settimeout(20)
        while self.next_frame():
            pass

    def await_frame(self, kind, stream=None):
        while True:
            came = self.receive()
            if isinstance(came, kind) and (stream is None or came.stream_id == stream):
                return came

    def ping(self):
        """Until it is answered: the connection is alive, and what was sent before has been read."""
        self.send(frame.PingFrame(0, opaque_data=b"are you?"))
        while "ACK" not in self.await_frame(frame.PingFrame).flags:
            pass

    def await_end_of(self, stream):
        """Of a response, or by its reset: its first header block, or the code of the reset."""
        head = None
        while True:
            came = self.receive()
            if came.stream_id != stream:
                continue
            if isinstance(came, frame.RstStreamFrame):
                return f"reset {came.error_code}"
            if isinstance(came, frame.HeadersFrame):
                head = head or came.data
            if "END_STREAM" in came.flags:
                return status_of(head)

    def await_end(self):
        """Of the connection."""
        while True:
            self.receive()


def status_of(block):
    """Baton's blocks refer to no dynamic table, so that each can be decoded alone."""
    return dict(Decoder().decode(block))[":status"]
