"""A server that records exact bytes, and what a request says to a lenient reader."""
import re
import socket
import threading

PATIENCE_S = 30  # a hanging run ends; nothing is judged by it

# Differ in every request, as docs/http-conformance.md says.
OF_THE_HOP = {b"connection", b"keep-alive", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host",
              b"transfer-encoding", b"proxy-connection"}


class Recorder:
    """Answers every request with 200 and `Connection: close`, and keeps the bytes of each connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.changed = threading.Condition()
        self.open = 0
        self.received = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            with self.changed:
                self.open += 1
                record = bytearray()
                self.received.append(record)
            threading.Thread(target=self.serve, args=(connection, record), daemon=True).start()

    def serve(self, connection, record):
        connection.settimeout(PATIENCE_S)
        try:
            while not is_whole(bytes(record)):
                piece = connection.recv(65536)
                if not piece:
                    break
                record += piece
            else:
                body = b"" if record.startswith(b"HEAD ") else b"ok"
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n" + body)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    record += piece
        except OSError:
            pass
        connection.close()
        with self.changed:
            self.open -= 1
            self.changed.notify_all()

    def take(self):
        """What each connection since the last call has brought, once all have ended."""
        with self.changed:
            self.changed.wait_for(lambda: self.open == 0, PATIENCE_S)
            received, self.received = self.received, []
        return [bytes(record) for record in received if record]


def split_head(message):
    """Lines of the head, and what follows. Lines may end with LF alone, as lenient servers have it."""
    match = re.search(rb"\r?\n\r?\n", message)
    if not match:
        return message.split(b"\n"), None
    lines = [line.removesuffix(b"\r") for line in message[:match.start()].split(b"\n")]
    return lines, message[match.end():]


def fields_of(lines):
    fields = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and fields:
            name, value = fields[-1]
            fields[-1] = (name, value + b" " + line.strip(b" \t"))
        else:
            name, _, value = line.partition(b":")
            fields.append((name.lower(), value.strip(b" \t")))
    return fields


def chunks_of(rest):
    """The content of a chunked body and what follows, or None if it is not complete."""
    content = b""
    while True:
        line, found, rest = rest.partition(b"\n")
        if not found:
            return None
        try:
            size = int(line.split(b";")[0].strip() or b"x", 16)
        except ValueError:
            return content, b""
        if size == 0:
            while True:
                line, found, rest = rest.partition(b"\n")
                if not found:
                    return None
                if not line.strip(b"\r"):
                    return content, rest
        if len(rest) < size:
            return None
        content, rest = content + rest[:size], rest[size:].removeprefix(b"\r").removeprefix(b"\n")


def body_of(lines, rest):
    """The same for any body. Reads as leniently as a server may."""
    fields = fields_of(lines[1:])
    if any(name == b"transfer-encoding" and b"chunked" in value.lower() for name, value in fields):
        return chunks_of(rest)
    for name, value in fields:
        digits = re.match(rb"\+?(\d+)", value)
        if name == b"content-length" and digits and int(digits[1]) < 1 << 20:
            size = int(digits[1])
            return (rest[:size], rest[size:]) if len(rest) >= size else None
    return b"", rest


def is_whole(message):
    lines, rest = split_head(message)
    return rest is not None and body_of(lines, rest) is not None


def meaning(message, is_chunked=False):
    """What a request says, without what each hop writes anew: `Content-Length`, too, if it may send chunks instead."""
    lines, rest = split_head(message.lstrip(b"\r\n"))
    body = body_of(lines, rest) if rest is not None else None
    fields = fields_of(lines[1:])
    is_chunked = is_chunked or any(name == b"transfer-encoding" for name, _ in fields)
    kept = sorted((name, value) for name, value in fields
                  if name not in OF_THE_HOP and not (is_chunked and name == b"content-length"))
    return lines[0].split()[:2], kept, body[0] if body else None
