"""hyper-h2 as a good client: one connection whose streams stay open through ten upgrades.

streams.py PORT CA PID_FILE
"""
import sys

import h2.config
import h2.connection
import h2.events

from upgrades import pattern, upgrade
from wire import connect

port, ca, pid_file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ROUNDS = 10
PIECE = 7_000
DOWNLOAD = 800_000  # more than ten windows

sock = connect(port, ca)
peer = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
heads, bodies, trailers, ended, windows = {}, {}, {}, set(), {}
pongs = 0


def flush():
    sock.sendall(peer.data_to_send())


def take():
    global pongs
    data = sock.recv(65536)
    assert data, "the connection has ended"
    for event in peer.receive_data(data):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, (h2.events.ConnectionTerminated, h2.events.StreamReset)):
            raise AssertionError(event)
        if isinstance(event, h2.events.ResponseReceived):
            heads[stream] = dict(event.headers)
        if isinstance(event, h2.events.DataReceived):
            bodies[stream] = bodies.get(stream, b"") + event.data
            windows[stream] = windows.get(stream, 0) + event.flow_controlled_length
        if isinstance(event, h2.events.TrailersReceived):
            trailers[stream] = dict(event.headers)
        if isinstance(event, h2.events.StreamEnded):
            ended.add(stream)
        if isinstance(event, h2.events.PingAckReceived):
            pongs += 1
    flush()


def until(condition):
    while not condition():
        take()


def begin(path, method="GET", fields=(), ends=True):
    stream = peer.get_next_available_stream_id()
    peer.send_headers(stream, [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path),
                               *fields], end_stream=ends)
    return stream


def send(stream, data, ends=False):
    while data:
        size = min(len(data), peer.local_flow_control_window(stream), peer.max_outbound_frame_size)
        if size == 0:
            take()
            continue
        peer.send_data(stream, data[:size], end_stream=ends and size == len(data))
        data = data[size:]
        flush()


peer.initiate_connection()
peer.increment_flow_control_window(2 * DOWNLOAD)  # of the connection: only streams are stalled
flush()
until(lambda: peer.remote_settings.max_concurrent_streams == 100)
content = pattern((ROUNDS + 1) * PIECE)
uploads = [begin("/count", "POST", ends=False),
           begin("/count", "POST", [("content-length", str(len(content)))], ends=False)]
echo = begin("/echo", "POST", [("te", "trailers")], ends=False)
held = [begin("/held") for _ in range(20)]
reader = begin(f"/bytes/{DOWNLOAD}")  # its window is opened bit by bit
flush()
for number in range(ROUNDS):
    for stream in uploads:
        send(stream, content[number * PIECE:(number + 1) * PIECE])
    send(echo, b"%d " % number)
    until(lambda: windows.get(reader, 0) >= 10_000)
    # The next frame is cut in the middle.
    peer.ping(b"%08d" % number)
    fields = [("x-number", str(number)), ("x-constant", "a value that is indexed")]
    extra = begin("/trailers", fields=fields)
    cut = peer.data_to_send()
    sock.sendall(cut[:-5])
    upgrade(pid_file)
    sock.sendall(cut[-5:])
    peer.acknowledge_received_data(windows.pop(reader), reader)
    flush()
    until(lambda: extra in ended and pongs == number + 1)
    assert bodies[extra] == b"hello" and trailers[extra] == {"x-checksum": "abc123"}, (bodies[extra], trailers)
for stream in uploads:
    send(stream, content[-PIECE:], ends=True)
peer.send_headers(echo, [("x-more", "yes")], end_stream=True)
flush()
until(lambda: {*uploads, echo} <= ended)
for stream in uploads:
    assert bodies[stream] == b"%d as sent" % len(content), bodies[stream]
assert b"0 1 2 3 4 5 6 7 8 9 " in bodies[echo] and b"trailer x-more: yes" in bodies[echo], bodies[echo]
assert not ended & set(held)
print("held", flush=True)
while reader not in ended:
    if windows.get(reader):
        peer.acknowledge_received_data(windows.pop(reader), reader)
        flush()
    take()
assert bodies[reader] == pattern(DOWNLOAD), "another body"
until(lambda: set(held) <= ended)
assert all(bodies[stream] == b"held" for stream in held)
print("ok")
