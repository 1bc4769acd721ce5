#!/usr/bin/env python3
"""Clients of every kind, each with one connection from first to last, that compare every byte.

Each line on standard input asks how they are: the answer comes when every one of them has received something more. At the
end of the input they finish what they are doing and the verdict follows; the exit code is 0 if nobody noticed anything.
"""
import argparse
import hashlib
import os
import random
import socket
import ssl
import sys
import threading

from content import Content, event, small_answer

BODY = 64 * 1024 * 1024
PIECE = 65536
PAUSE_S = 0.02
SILENCE_S = 60  # Whoever hears nothing for so long says so.


class Failure(Exception):
    """A client has noticed something."""


class Gathering:
    """What the clients and whoever asks about them know of each other."""

    def __init__(self):
        self.changed = threading.Condition()
        self.questions = 0
        self.ending = threading.Event()

    def ask(self, clients):
        """Waits until each client has received something after this moment, or has failed."""
        with self.changed:
            before = [client.received for client in clients]
            self.questions += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: all(client.failure or client.received > count
                                              for client, count in zip(clients, before)))

    def end(self):
        with self.changed:
            self.ending.set()
            self.changed.notify_all()


class Client(threading.Thread):
    def __init__(self, gathering, kind, entrance):
        super().__init__(name=f"{kind.__name__.replace('_', ' ')} over {entrance.name}", daemon=True)
        self.gathering, self.kind, self.entrance = gathering, kind, entrance
        self.received = 0
        self.failure = None

    def run(self):
        try:
            with self.entrance.connect() as self.socket, self.socket.makefile("rb") as self.reader:
                self.kind(self)
        except (OSError, Failure) as problem:
            with self.gathering.changed:
                self.failure = str(problem) or type(problem).__name__
                self.gathering.changed.notify_all()

    def ending(self):
        return self.gathering.ending.is_set()

    def pause(self):
        """Some time passes, unless the end has come."""
        self.gathering.ending.wait(PAUSE_S)

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, target, fields=b""):
        self.send(b"%b /%b HTTP/1.1\r\nHost: baton.test\r\n%b\r\n" % (method, target.encode(), fields))

    def expect_head(self, status):
        line = self.reader.readline()
        if not line.startswith(b"HTTP/1.1 %d " % status):
            raise Failure(f"{line!r} instead of a response with {status}")
        fields = {}
        while (field := self.reader.readline()) != b"\r\n":
            if not field:
                raise Failure("the connection ended within a head")
            name, _, value = field.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        if fields.get("connection", "") == "close":
            raise Failure("the response closes the connection")
        return fields

    def expect(self, wanted):
        got = self.reader.read(len(wanted))
        if got != wanted:
            raise Failure("the connection ended" if len(got) < len(wanted) else
                          f"wrong bytes after {self.received} right ones: {got[:40]!r} instead of {bytes(wanted[:40])!r}")
        with self.gathering.changed:
            self.received += len(got)
            self.gathering.changed.notify_all()

    def expect_body(self, wanted):
        if int(self.expect_head(200)["content-length"]) != len(wanted):
            raise Failure("the body has another length")
        self.expect(wanted)


# The kinds of clients. Each returns when the end has come and its exchange is whole.


def busy_keep_alive(client):
    number = 0
    while not client.ending():
        client.request(b"GET", f"small/{number}")
        client.expect_body(small_answer(number))
        client.pause()
        number += 1


def idle_keep_alive(client):
    """A request for each question, and silence in between."""
    answered, gathering = 0, client.gathering
    while not client.ending():
        with gathering.changed:
            gathering.changed.wait_for(lambda: gathering.questions > answered or client.ending())
            answered = gathering.questions
        client.request(b"GET", f"small/{answered}")
        client.expect_body(small_answer(answered))


def long_download(client):
    stream = hashlib.sha256(client.name.encode()).hexdigest()
    content = Content(stream)
    while not client.ending():
        client.request(b"GET", f"download/{stream}/{BODY}")
        if int(client.expect_head(200)["content-length"]) != BODY:
            raise Failure("the download has another length")
        for offset in range(0, BODY, PIECE):
            client.expect(content.at(offset, PIECE))
            client.pause()


def long_upload(client):
    """The origin answers with the digest of what arrived. What counts as received meanwhile is what it has taken."""
    content = Content(client.name)
    while not client.ending():
        digest = hashlib.sha256()
        client.request(b"POST", "upload/", b"Content-Length: %d\r\n" % BODY)
        for offset in range(0, BODY, PIECE):
            piece = content.at(offset, PIECE)
            client.send(piece)
            digest.update(piece)
            with client.gathering.changed:
                client.received += PIECE
                client.gathering.changed.notify_all()
            client.pause()
        client.expect_body(digest.hexdigest().encode())


def event_stream(client):
    client.request(b"GET", "events")
    client.expect_head(200)
    number = 0
    while not client.ending():
        text = event(number)
        client.expect(b"%x\r\n%b\r\n" % (len(text), text))
        number += 1


def web_socket(client):
    client.request(b"GET", "websocket", b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
    if client.expect_head(101).get("sec-websocket-accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=":
        raise Failure("the WebSocket was not accepted by our origin")
    while not client.ending():
        message = os.urandom(random.randrange(126, 9000))
        size = len(message).to_bytes(2, "big")
        client.send(b"\x82\xfe" + size + bytes(4) + message)  # A mask of zeros leaves the payload as it is.
        client.expect(b"\x82\x7e" + size + message)
        client.pause()


def raw_tcp(client):
    while not client.ending():
        message = os.urandom(random.randrange(1, 100_000))
        client.send(message)
        client.expect(message)
        client.pause()
    client.socket.shutdown(socket.SHUT_WR)
    if client.reader.read():
        raise Failure("bytes came that were never sent")


class Entrance:
    def __init__(self, name, host, port, tls=None):
        self.name, self.host, self.port, self.tls = name, host, port, tls

    def connect(self):
        plain = socket.create_connection((self.host, self.port), timeout=SILENCE_S)
        return self.tls.wrap_socket(plain, server_hostname="baton.test") if self.tls else plain


def tls(ca, version):
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = context.maximum_version = version
    return context


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", nargs="+", help="the proxy; with several addresses, each has clients of every kind")
    parser.add_argument("--ca", required=True, help="PEM: who signed the proxy's certificate")
    return parser.parse_args()


def main():
    given = arguments()
    gathering = Gathering()
    kinds = [busy_keep_alive, idle_keep_alive, long_download, long_upload, event_stream, web_socket]
    clients = []
    for host in given.host:
        entrances = [Entrance("HTTP", host, 8080),
                     Entrance("TLS 1.2", host, 8443, tls(given.ca, ssl.TLSVersion.TLSv1_2)),
                     Entrance("TLS 1.3", host, 8443, tls(given.ca, ssl.TLSVersion.TLSv1_3))]
        clients += [Client(gathering, kind, entrance) for kind in kinds for entrance in entrances]
        clients.append(Client(gathering, raw_tcp, Entrance("TCP", host, 9000)))

    for client in clients:
        client.start()
    gathering.ask(clients)
    report("ready", clients)
    for _ in sys.stdin:
        gathering.ask(clients)
        report("alive", clients)
    gathering.end()
    for client in clients:
        client.join()
    report("whole", clients)


def report(word, clients):
    """One line; or what went wrong, one line for each client, and the end."""
    failed = [f"FAILED {client.name}: {client.failure}" for client in clients if client.failure]
    megabytes = sum(client.received for client in clients) / 1e6
    print("\n".join(failed) or f"{word}: {len(clients)} clients, one connection each, {megabytes:.1f} MB compared", flush=True)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
