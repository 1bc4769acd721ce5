"""answering.py PORT [BYTES]: a server that answers the first request of each connection with BYTES, in which \\r and
\\n are escapes, and closes it. Without BYTES it reads and stays silent."""
import socket
import sys
import threading

port, answer = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""


def serve(connection):
    with connection:
        if connection.recv(65536) and answer:
            connection.sendall(answer.encode().decode("unicode_escape").encode())
        elif not answer:
            while connection.recv(65536):
                pass


with socket.create_server(("127.0.0.1", port)) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
