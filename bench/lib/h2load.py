"""HTTP/2 by nghttp2's programs: h2load (package nghttp2-client) as the load, checked by its own report, and nghttpd
(nghttp2-server) as the origin."""

import os
import re
import subprocess
import tempfile

from .load import BenchError
from .proxies import end, find_program, free_port, wait_until_it_accepts

# Few connections, so that handshakes do not count; many streams on each, as browsers open them.
CONNECTIONS = 4
STREAMS = 16


class H2load:
    def __init__(self, cpu):
        self._command = [find_program("taskset"), "-c", str(cpu), find_program("h2load"), "--npn-list=h2", "-t", "1",
                         "-c", str(CONNECTIONS), "-m", str(STREAMS), "--tls13-ciphers=TLS_AES_128_GCM_SHA256"]

    def ask(self, proxy, count):
        """Makes so many requests, each answered by 200."""
        command = [*self._command, "-n", str(count), f"{proxy.scheme}://127.0.0.1:{proxy.port}/"]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if not re.search(rf"^status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx$", done.stdout, re.MULTILINE):
            raise BenchError(f"h2load to {proxy.name}:\n{done.stdout}{done.stderr}\n{proxy.log_text()[-1000:]}")


class Nghttpd:
    """Answers with as many bytes as the load's own origin, without TLS."""

    def __init__(self, directory, cpu):
        files = tempfile.mkdtemp(dir=directory)
        with open(os.path.join(files, "index.html"), "w", encoding="ascii") as file:
            file.write("Hello, world!")
        self.port = free_port()
        self._process = subprocess.Popen(
            [find_program("taskset"), "-c", str(cpu), find_program("nghttpd"), "--no-tls", "--address=127.0.0.1",
             f"--htdocs={files}", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not wait_until_it_accepts(self.port, self._process):
            raise BenchError("nghttpd does not start")

    def stop(self):
        end(self._process.pid, self._process)
