# A gRPC server with the health service, by grpcio: grpc_server.py [CERT KEY]. Its first line is its port. Each line of
# input says what it answers from then on: a status of the health service, as SERVING or NOT_SERVING, or one of gRPC, as
# UNIMPLEMENTED; it repeats that line when it has done so. For each call it prints `check 'SERVICE'`.
import sys
from concurrent import futures

import grpc

statuses = {"UNKNOWN": 0, "SERVING": 1, "NOT_SERVING": 2}
answer = "SERVING"


def say(line):
    print(line, flush=True)


def check(request, context):
    service = request[2:].decode() if request else ""
    say(f"check '{service}'" + ("" if context.time_remaining() else " without a deadline"))
    if answer in statuses:
        return bytes([8, statuses[answer]])
    return context.abort(grpc.StatusCode[answer], "as asked")


def main():
    global answer
    server = grpc.server(futures.ThreadPoolExecutor(4))
    handler = grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)})
    server.add_generic_rpc_handlers((handler,))
    if len(sys.argv) > 2:
        with open(sys.argv[1], "rb") as cert, open(sys.argv[2], "rb") as key:
            credentials = grpc.ssl_server_credentials([(key.read(), cert.read())])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    say(port)
    for line in sys.stdin:
        answer = line.strip()
        say(answer)
    server.stop(None)


main()
