"""User-space instructions per request under callgrind: two runs with different counts, and their difference."""

import collections
import glob
import re
import subprocess
import tempfile

from .load import BenchError
from .proxies import Proxy, find_program

CONNECTIONS = 64
EARLY_REQUESTS = 640      # every pool and cache of a proxy has been filled by then


# With the turns that connections take because of them.
EVENTS_OF_SOCKETS = ("baton::runtime::Socket::on_events(unsigned int)",
                     "baton::proxy::Connection::on_events(unsigned int)")


def instructions_per_request(kind, service, load, requests, connections=CONNECTIONS, within=(), resource=()):
    """The number, and how it is spread over the functions (exclusive). `within` are functions, none of which calls
    one of them: only what they and their callees do is counted. `resource` may be a path and a host."""

    def ask(count):
        return instructions(kind, service, load, connections, within,
                            lambda proxy: load.ask(kind.name, count, *resource))

    return per_request(ask, requests)


def per_request(ask, requests):
    """`ask(count)` returns the instructions of a process that gets so many requests, by its functions."""
    few = ask(EARLY_REQUESTS)
    many = ask(EARLY_REQUESTS + requests)
    many.subtract(few)
    each = {function: count / requests for function, count in many.items()}
    return sum(each.values()), each


def instructions(kind, service, load, connections, within, work, origin_port=None, preload=None):
    """Those of a process by its functions, from its start to its end; `work(proxy)` is done with so many connections.
    With `preload`, a library, its children are counted, too."""
    out = tempfile.mkdtemp(dir=kind.directory)
    valgrind = [find_program("valgrind"), "--tool=callgrind", f"--callgrind-out-file={out}/%p"]
    valgrind += [f"--toggle-collect={function}" for function in within]
    if preload is not None:
        valgrind = [find_program("env"), f"LD_PRELOAD={preload}", *valgrind, "--trace-children=yes"]
    proxy = Proxy(kind, service, origin_port or load.origin_port, valgrind)
    if connections != 0:
        load.open(kind.name, proxy, connections)
    work(proxy)
    if connections != 0:
        load.close(kind.name)
    proxy.stop()
    functions = collections.Counter()
    for path in glob.glob(f"{out}/*"):
        functions.update(_functions(path))
    return functions


def _functions(path):
    with open(path, encoding="utf-8") as file:
        if re.search(r"^(?:totals|summary): 0$", file.read(), re.MULTILINE):
            return collections.Counter()
    annotate = [find_program("callgrind_annotate"), "--threshold=100", "--show-percs=no", "--auto=no", path]
    text = subprocess.run(annotate, check=True, text=True, capture_output=True).stdout
    found = collections.Counter()
    for count, name in re.findall(r"^ *([\d,]+) +([^\s:]\S*:.+)$", text, re.MULTILINE):
        function = re.sub(r"^.*?:", "", re.sub(r" \[[^]]*\]$", "", name))
        found[re.sub(r"'\d+$", "", function)] += int(count.replace(",", ""))
    total = int(re.search(r"^ *([\d,]+) +PROGRAM TOTALS$", text, re.MULTILINE)[1].replace(",", ""))
    if abs(total - found.total()) > total / 1000:
        raise BenchError(f"callgrind counted {total:,} instructions, its functions have {found.total():,}")
    return found
