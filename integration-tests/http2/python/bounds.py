"""What is more than it may be, without harm to its connection: bounds.py PORT CA

Each line says what became of one.
"""
import sys

from hyperframe import frame

from wire import Wire, half

ALL = ("END_HEADERS", "END_STREAM")

wire = Wire(int(sys.argv[1]), sys.argv[2])
wire.send(*[wire.request(stream, "/held", "GET", ALL) for stream in range(1, 201, 2)])
wire.ping()
half()
wire.send(wire.request(201, "/held", "GET", ALL))
print("stream 101:", wire.await_end_of(201))
wire.send(frame.RstStreamFrame(1, error_code=8), wire.request(203, "/bytes/10", "GET", ALL))
print("after a reset:", wire.await_end_of(203))
wire.send(frame.RstStreamFrame(3, error_code=8), wire.request(205, "/held"))
wire.send(*[frame.DataFrame(205, data=b"x" * 16384)] * 2000)
print("more than a stream's window:", wire.await_end_of(205))
wire.ping()
