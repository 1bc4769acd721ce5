"""Requests that mean one thing in HTTP/2 and another in HTTP/1.1, or nothing: smuggling.py PORT CA

All on one connection, by hyper-h2 without its own checks, with a good request after each. The paths of those that may
reach the server begin with /good or /passes.
"""
import sys

import h2.config
import h2.connection
import h2.events

from wire import connect, half

port, ca = int(sys.argv[1]), sys.argv[2]
PLAIN = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/smuggled")]


def changed(**pseudo):
    return [(name, pseudo.get(name[1:].decode(), value)) for name, value in PLAIN]


def without(name):
    return [field for field in PLAIN if field[0] != name]


def with_fields(*fields):
    return [*PLAIN, *fields]


def post(*fields):
    return [*changed(method=b"POST"), *fields]


# (what, its header list, its content or None)
MALFORMED = [
    *[(f"method {value!r}", changed(method=value), None)
      for value in (b"", b"GET ", b" GET", b"GET /x HTTP/1.1\r\nA: b\r\n\r\nGET", b"G\0T", b"GET\t", b"G:T", b"\xff")],
    *[(f"path {value!r}", changed(path=value), None)
      for value in (b"", b"x", b"*", b"/a b", b"/a\tb", b"/ HTTP/1.1\r\nHost: evil\r\n\r\nGET /smuggled", b"/a\r",
                    b"/a\n", b"/a\0", b"/a\x7f", b"https://localhost/smuggled", b" /smuggled")],
    *[(f"authority {value!r}", changed(authority=value), None)
      for value in (b"", b"local host", b"localhost\r\nX-A: b", b"localhost\n", b"localhost\0", b"user@localhost",
                    b"localhost/smuggled", b"localhost?a", b"localhost#a", b"local\\host", b"l\xffcalhost",
                    b" localhost", b"localhost\t")],
    *[(f"scheme {value!r}", changed(scheme=value), None)
      for value in (b"", b"https://evil/", b"https ", b"ht\rtps", b"ht\ntps", b"ht\0tps")],
    *[(f"no {name!r}", without(name), None) for name, _ in PLAIN if name != b":authority"],
    *[(f"twice {name!r}", [(name, value), *PLAIN], None) for name, value in PLAIN],
    ("an unknown pseudo-field", [*PLAIN, (b":version", b"HTTP/1.1")], None),
    (":status in a request", [*PLAIN, (b":status", b"200")], None),
    (":protocol without CONNECT", [*PLAIN, (b":protocol", b"websocket")], None),
    ("a pseudo-field behind a field", [*PLAIN[:3], (b"x-a", b"b"), PLAIN[3]], None),
    ("CONNECT with a path", [*changed(method=b"CONNECT")], None),
    ("another Host", with_fields((b"host", b"evil")), None),
    ("Host twice", [*without(b":authority"), (b"host", b"localhost"), (b"host", b"evil")], None),
    ("a Host with a path", [*without(b":authority"), (b"host", b"localhost/x")], None),
    *[(f"name {value!r}", with_fields((value, b"b")), None)
      for value in (b"", b"X-A", b"x a", b"x\ta", b"x:a", b"x\r\na", b"x-a: b\r\nx-c", b"x\0a", b"x\xffa", b"x-a ",
                    b" x-a", b"x-a:", b"x(a)", b"Content-Length")],
    *[(f"value {value!r}", with_fields((b"x-a", value)), None)
      for value in (b"b\r\nX-C: d", b"b\rc", b"b\nc", b"b\n c", b"b\0c", b"b\r\n\r\nGET /smuggled HTTP/1.1", b" b",
                    b"b ", b"\tb", b"b\t", b"\r", b"\n")],
    *[(f"cookie {value!r}", with_fields((b"cookie", b"a=1"), (b"cookie", value)), None)
      for value in (b"b=2\r\nX-C: d", b"b\0")],
    *[(f"{name.decode()}: {value.decode()}", with_fields((name, value)), None)
      for name, value in ((b"connection", b"close"), (b"connection", b"x-forwarded-for"), (b"keep-alive", b"timeout=5"),
                          (b"proxy-connection", b"close"), (b"upgrade", b"websocket"), (b"te", b"gzip"),
                          (b"te", b"trailers, chunked"), (b"transfer-encoding", b"chunked"),
                          (b"transfer-encoding", b"identity"))],
    ("Transfer-Encoding with content", post((b"transfer-encoding", b"chunked")),
     b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    *[(f"content-length {value!r}", post((b"content-length", value)), b"12345")
      for value in (b"", b"4", b"6", b"0", b"+5", b"-5", b"0x5", b"5,5", b"5, 5", b"5;", b"5 5", b"five", b"5.0",
                    b"99999999999999999999", b"\xb25")],
    ("content-length without content", post((b"content-length", b"5")), None),
]
# Those are HTTP/2 as RFC 9113 has it, but not what a server of HTTP/1.1 may get.
REFUSED = [
    ("lengths that differ", post((b"content-length", b"6"), (b"content-length", b"5")), b"12345", b"400"),
    ("a control character", with_fields((b"x-a", b"b\x01c")), None, b"400"),
    ("no authority and no Host", without(b":authority"), None, b"400"),
    ("CONNECT", [(b":method", b"CONNECT"), (b":authority", b"localhost:1")], None, b"405"),
    ("101 fields", with_fields(*[(b"x-a", b"b")] * 101), None, b"431"),
    ("a list of 40 KB", with_fields(*[(b"x-a", b"b" * 4000)] * 10), None, b"431"),
    # 16 MB in 4 KB: each reference is one byte.
    ("a list of 16 MB", with_fields((b"x-bomb", b"b" * 3900), *[(b"x-bomb", b"b" * 3900)] * 4000), None, b"431"),
]
# What would be a request of its own if the content had no framing.
BODY = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET_ECHO, POST_ECHO = changed(path=b"/passes/echo"), changed(method=b"POST", path=b"/passes/echo")
# What has to be in the echo.
PASSES = [
    ("content like a request", POST_ECHO, BODY, BODY),
    ("content like a last chunk", POST_ECHO, b"0\r\n\r\n" + BODY, b"0\r\n\r\n" + BODY),
    ("content of GET", GET_ECHO, BODY, BODY),
    ("content of a declared length", [*POST_ECHO, (b"content-length", b"%d" % len(BODY))], BODY, BODY),
    ("Host for the authority", [*GET_ECHO[:2], GET_ECHO[3], (b"host", b"localhost")], None, b"Host: localhost\r\n"),
    ("crumbs of a cookie", [*GET_ECHO, (b"cookie", b"a=1"), (b"cookie", b"b=2")], None, b"cookie: a=1; b=2\r\n"),
    ("bytes above 127", [*GET_ECHO, (b"x-a", b"\xe2\x82\xac")], None, b"x-a: \xe2\x82\xac\r\n"),
]

config = h2.config.H2Configuration(client_side=True, header_encoding=None, validate_outbound_headers=False,
                                   normalize_outbound_headers=False)
peer = h2.connection.H2Connection(config)
peer.initiate_connection()
peer.max_outbound_frame_size = 16384
sock = connect(port, ca)


def judge(head, content):
    """"reset CODE", or the status and the body."""
    stream = peer.get_next_available_stream_id()
    peer.send_headers(stream, head, end_stream=content is None)
    if content is not None:
        peer.send_data(stream, content, end_stream=True)
    sock.sendall(peer.data_to_send())
    status, body = None, b""
    while True:
        data = sock.recv(65536)
        assert data, "the connection has ended"
        for event in peer.receive_data(data):
            assert not isinstance(event, h2.events.ConnectionTerminated), event
            if isinstance(event, h2.events.DataReceived):
                peer.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if getattr(event, "stream_id", None) != stream:
                continue
            if isinstance(event, h2.events.StreamReset):
                return f"reset {int(event.error_code)}", b""
            if isinstance(event, h2.events.ResponseReceived):
                status = dict(event.headers)[b":status"]
            if isinstance(event, h2.events.DataReceived):
                body += event.data
            if isinstance(event, h2.events.StreamEnded):
                return status, body
        sock.sendall(peer.data_to_send())


wrong = []


def expect(what, came, due):
    if came != due:
        wrong.append(f"{what}: {came!r}, not {due!r}")
    good, body = judge(changed(path=b"/good"), None)
    assert good == b"200" and body == b"good", f"after {what}: {good!r} {body!r}"


for what, head, content in MALFORMED:
    expect(what, judge(head, content)[0], "reset 1")
half()
for what, head, content, status in REFUSED:
    expect(what, judge(head, content)[0], status)
for what, head, content, part in PASSES:
    status, body = judge(head, content)
    expect(what, status, b"200")
    if part not in body:
        wrong.append(f"{what}: {body!r} has no {part!r}")
print("\n".join(wrong) if wrong else "ok")
