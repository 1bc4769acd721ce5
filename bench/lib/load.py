"""The load generator (load/): builds it, starts it, gives it commands."""

import glob
import os
import subprocess


class BenchError(Exception):
    """Ends the run; the message is for the user."""


def compiled(program, sources, *libraries):
    if not os.path.exists(program):
        subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O2", "-o", program, *sources, *libraries],
                       check=True)
    return program


def built_reference(name, directory):
    """A program of reference/, which does the least that is possible."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "reference")
    return compiled(os.path.join(directory, name), [os.path.join(folder, f"{name}.cpp")])


class Load:
    def __init__(self, sources, directory, cpu):
        program = compiled(os.path.join(directory, "load"), glob.glob(os.path.join(sources, "*.cpp")), "-lssl", "-lcrypto")
        self._process = subprocess.Popen(["taskset", "-c", str(cpu), program], text=True, bufsize=1,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.origin_port = int(self._read("start")["origin"])

    def open(self, group, proxy, count, speaks=None):
        self._command(f"open {group} {proxy.port} {count} {speaks or proxy.speaks}", count)

    def ask(self, group, count, path="/", host="127.0.0.1:8080"):
        """The longest time that one of the requests took, in microseconds."""
        return self._command(f"ask {group} {count} {path} {host}", count)

    def each(self, group, count, lost=0):
        """So many of them may be lost."""
        self._command(f"each {group}", count, lost)

    def when(self, group, count):
        """As `each`. When each answer was complete, in microseconds of the monotonic clock."""
        answer = self._answer(f"when {group}", count, 0)
        return [int(at) for at in answer["at_us"].split(",")]

    def fresh(self, proxy, count, path="/"):
        self._command(f"fresh {proxy.port} {count} {proxy.speaks} {path}", count)

    def resumed(self, proxy, count):
        """Like `fresh`, but each handshake resumes the newest session from this proxy, which must exist."""
        self._command(f"fresh {proxy.port} {count} resumed /", count)

    def close(self, group):
        self._command(f"close {group}", 0)

    def stop(self):
        self._process.stdin.close()
        self._process.wait()

    # Every request needs a complete response: a proxy that drops some would look cheap.
    def _command(self, line, answers, lost=0):
        return int(self._answer(line, answers, lost)["slowest_us"])

    def _answer(self, line, answers, lost):
        self._process.stdin.write(line + "\n")
        answer = self._read(line)
        if not answers - lost <= int(answer["answered"]) <= answers:
            raise BenchError(f"'{line}': {answer['answered']} answered, {answer['lost']} lost")
        return answer

    def _read(self, command):
        answer = self._process.stdout.readline()
        if not answer:
            raise BenchError(f"the load generator exited at '{command}': a proxy hangs or refuses connections")
        return dict(word.split("=") for word in answer.split())
