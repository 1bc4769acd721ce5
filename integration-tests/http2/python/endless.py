"""What never ends: endless.py PORT CA

Each line says what became of one; the first two leave their connections usable.
"""
import sys

from hyperframe import frame

from wire import Ended, Wire, half

port, ca = int(sys.argv[1]), sys.argv[2]
uploads, readers, blocks = Wire(port, ca), Wire(port, ca, {4: 1}), Wire(port, ca)  # INITIAL_WINDOW_SIZE
uploads.send(uploads.request(1, "/count"), frame.DataFrame(1, data=b"a part"))
readers.send(readers.request(1, "/bytes/1000", "GET", ("END_HEADERS", "END_STREAM")))
blocks.ping()
blocks.send(blocks.headers(1, flags=["END_STREAM"]))
readers.await_frame(frame.DataFrame, 1)
uploads.ping()
half()
print("an upload that never ends:", uploads.await_end_of(1))
print("a window that stays shut:", readers.await_end_of(1))
uploads.ping()
readers.ping()
try:
    blocks.await_end()
except Ended as ended:
    print("a header block that never ends:", ended.said)
