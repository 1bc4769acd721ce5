"""What hostile clients of HTTP/2 cost the proxy until it ends them, and what another client gets meanwhile. The attacks
are those of integration-tests/http2/python/attacks.py, whose bytes are made beforehand.

As a program, `attacks.py PORT FILE`, it makes the attack in FILE again and again, each on its own connection, and says
how many there were when its standard input ends.
"""

import os
import select
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
SCRIPTS = os.path.join(HERE, "..", "..", "integration-tests", "http2", "python")
BYTES_MAX = 16_000_000      # of an attack that only the proxy ends
CONNECTIONS = 8     # of the other client
BATCH = 200     # requests, some milliseconds
PATIENCE_S = 60
SILENCE_S = 1      # after an attack that may not have been one, since the origin answered


def recordings():
    """The bytes that each attack sends, by its name."""
    sys.path.insert(0, SCRIPTS)
    import attacks
    from hyperframe import frame
    from wire import Ended, Wire

    class Recorder(Wire):
        def __init__(self):
            self.blocks = {}
            self.bytes = bytearray(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame.SettingsFrame(0).serialize())

        def send(self, *what):
            for part in what:
                self.bytes += part if isinstance(part, bytes) else part.serialize()
            if len(self.bytes) > BYTES_MAX:
                self.await_end()

        def receive_now(self):
            pass

        def await_end(self):
            raise Ended("")

    attacks.half = lambda: None
    names = [name for name, value in vars(attacks).items()
             if callable(value) and getattr(value, "__module__", "") == "attacks" and name not in ("flood", "Streams")]
    for name in (name for name in names if name != "<lambda>" and name != "half"):
        recorder = Recorder()
        try:
            getattr(attacks, name)(recorder)
        except Ended:
            pass
        yield name, bytes(recorder.bytes)


def connect(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))


def attack(port, data):
    """Until the proxy ends the connection, or has taken everything and is silent. Returns how many bytes it took, about,
    and whether it has ended it."""
    made = connect(port)
    made.setblocking(False)
    sent, view = 0, memoryview(data)
    try:
        while True:
            wants = [made] if sent < len(data) else []
            readable, writable, _ = select.select([made], wants, [], PATIENCE_S if wants else SILENCE_S)
            if not readable and not writable:
                return sent, False
            try:
                while made.recv(65536):
                    pass
                return sent, True
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            try:
                while sent < len(data):
                    sent += made.send(view[sent:sent + 16384])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
    except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
        return sent, True
    finally:
        made.close()


class Others:
    """The other client: what it gets in so many seconds."""

    def __init__(self, load, seconds):
        count, slowest_us, begin = 0, 0, time.monotonic()
        while time.monotonic() < begin + seconds:
            slowest_us = max(slowest_us, load.ask("others", BATCH))
            count += BATCH
        self.rate = count / (time.monotonic() - begin)
        self.slowest_ms = slowest_us / 1000


class Attack:
    def __init__(self, proxy, load, data, rounds, seconds):
        from .handover import cpu_when_quiet
        costs = []
        for _ in range(rounds):
            before_ns = cpu_when_quiet(proxy.pid)
            self.sent_bytes, self.is_ended = attack(proxy.port, data)
            costs.append(cpu_when_quiet(proxy.pid) - before_ns)
        self.cpu_ms = statistics.median(costs) / 1e6
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            attacker = subprocess.Popen([sys.executable, __file__, str(proxy.port), file.name], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            attacker.stdout.readline()
            begin = time.monotonic()
            self.others = Others(load, seconds)
            seconds = time.monotonic() - begin
            self.per_second = int(attacker.communicate()[0]) / seconds


class Measurement:
    def __init__(self, kind, service, load, rounds, seconds):
        from .proxies import Proxy
        self.attacks = {}
        proxy = Proxy(kind, service, load.origin_port)
        load.open("others", proxy, CONNECTIONS)
        Others(load, seconds)
        self.undisturbed = Others(load, seconds)
        for name, data in recordings():
            self.attacks[name] = Attack(proxy, load, data, rounds, seconds)
        load.close("others")
        proxy.stop()


def main():
    port = int(sys.argv[1])
    with open(sys.argv[2], "rb") as file:
        data = file.read()
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    print("ready", flush=True)
    count = 0
    while not is_over.is_set():
        attack(port, data)
        count += 1
    print(count)


if __name__ == "__main__":
    main()
