"""What the scripts have in common: upgrading Baton, and the pattern that its origin's bodies have."""
import os
import signal
import time

LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def pattern(count):
    return bytes(LETTERS[(i % 61 + i // 61 * 7 + i // 61 // 64 * 13) % 64] for i in range(count))


def upgrade(pid_file):
    """Sends USR2 and waits until another process is the instance and the old one is gone."""
    before = int(open(pid_file).read())
    os.kill(before, signal.SIGUSR2)
    deadline = time.monotonic() + 20
    while int(open(pid_file).read()) == before or alive(before):
        if time.monotonic() > deadline:
            raise TimeoutError("no upgrade")
        time.sleep(0.01)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
