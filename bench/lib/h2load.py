"""h2load (package nghttp2-client) as the load: HTTP/2, checked by its own report."""

import re
import subprocess

from .load import BenchError
from .proxies import find_program

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
