"""Python's ssl as a client: every suite of TLS 1.2, TLS 1.3, ten upgrades, one connection for each.

peer.py PORT CA PID_FILE
"""
import socket
import ssl
import sys

from upgrades import pattern, upgrade

port, ca, pid_file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
SUITES = [f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA")
          for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")]


def connect(suite):
    context = ssl.create_default_context(cafile=ca)
    if suite:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite)
    client = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20), server_hostname="localhost")
    assert not suite or client.cipher()[0] == suite, client.cipher()
    return client


def read_exactly(client, count):
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        assert piece, f"the connection ended after {len(data)} of {count} bytes"
        data += piece
    return data


def get(client, count):
    client.sendall(f"GET /bytes/{count} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_exactly(client, 1)
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert read_exactly(client, count) == pattern(count), "another body"


clients = [connect(suite) for suite in (None, *SUITES)]
for number in range(10):
    for client in clients:
        get(client, 30_000 + number)
    # The next request is cut in the middle of its head.
    for client in clients:
        client.sendall(b"GET /bytes/700 HT")
    upgrade(pid_file)
    for client in clients:
        client.sendall(b"TP/1.1\r\nHost: localhost\r\n\r\n")
    for client in clients:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += read_exactly(client, 1)
        assert read_exactly(client, 700) == pattern(700), "another body"
for client in clients:
    client.unwrap()  # close_notify on both sides
print("ok")
