"""A gRPC server or a client with one channel, by grpcio, for tests. Messages are bytes, so nothing is generated.

server               prints its port, then a line for each call that its client has cancelled
client PORT          reads commands from standard input and prints a line for each:
  open N / say N TEXT / close N    a bidirectional stream: its echo, and its status
  unary TEXT / wait TEXT           its answer and its trailing metadata / the same without waiting: "waits"
  fail / deadline / cancel N       what the call ends with
  chatter COUNT                    so many small messages on one stream, each after the echo of the one before
  done                             what `wait` has got
"""

import sys
import threading
from concurrent import futures

import grpc


def identity(data):
    return data


class Service(grpc.GenericRpcHandler):
    def __init__(self):
        self.gate = threading.Event()

    def service(self, call):
        name = call.method.rsplit("/", 1)[1]
        if name == "Echo":
            return grpc.stream_stream_rpc_method_handler(self.echo, identity, identity)
        return grpc.unary_unary_rpc_method_handler(getattr(self, name.lower()), identity, identity)

    def echo(self, messages, context):
        # The messages of a cancelled stream end, too, so the last one says that it is.
        said = []
        context.add_callback(lambda: None if b"bye" in said else print("cancelled", flush=True))
        context.send_initial_metadata((("x-began", "yes"),))
        for message in messages:
            said.append(message)
            yield message
        context.set_trailing_metadata((("x-ended", "yes"),))

    def unary(self, message, context):
        context.set_trailing_metadata((("x-bytes", str(len(message))),))
        return message

    def held(self, message, context):
        print("held", flush=True)
        self.gate.wait()
        return message

    def fail(self, message, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "nothing of that name: 100 %")

    def deadline(self, message, context):
        over = threading.Event()
        context.add_callback(over.set)
        print("limit %s" % ("none" if context.time_remaining() is None else "some"), flush=True)
        over.wait()
        return message


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    service = Service()
    server.add_generic_rpc_handlers((service,))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    for line in sys.stdin:
        if line.strip() == "release":
            service.gate.set()


class Outgoing:
    """The messages of a stream, as they are said."""

    def __init__(self):
        self.said = []
        self.changed = threading.Condition()
        self.over = False

    def put(self, message):
        with self.changed:
            self.said.append(message)
            self.changed.notify()

    def end(self):
        with self.changed:
            self.over = True
            self.changed.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self.changed:
            self.changed.wait_for(lambda: self.said or self.over)
            if self.said:
                return self.said.pop(0)
            raise StopIteration


def ended(call):
    try:
        call.result()
        return "OK"
    except grpc.RpcError as error:
        return "%s %s" % (error.code().name, error.details())


def ask(port):
    states = []
    # One channel must stay connected, whatever happens to the server.
    channel = grpc.insecure_channel("127.0.0.1:%s" % port, options=(("grpc.enable_retries", 0),))
    channel.subscribe(lambda state: states.append(state.name))
    streams = {}
    waiting = None
    unary = channel.unary_unary("/t/Unary", identity, identity)
    for line in sys.stdin:
        words = line.split()
        command = words[0]
        if command == "open":
            outgoing = Outgoing()
            streams[words[1]] = (outgoing, channel.stream_stream("/t/Echo", identity, identity)(outgoing))
            print("opened", flush=True)
        elif command == "say":
            outgoing, call = streams[words[1]]
            outgoing.put(words[2].encode())
            print("echo %s" % next(call).decode(), flush=True)
        elif command == "close":
            outgoing, call = streams.pop(words[1])
            outgoing.put(b"bye")
            outgoing.end()
            rest = len(list(call))
            metadata = dict(call.initial_metadata()), dict(call.trailing_metadata())
            print("closed %s %d %s %s" % (call.code().name, rest, metadata[0].get("x-began"),
                                          metadata[1].get("x-ended")), flush=True)
        elif command == "cancel":
            streams.pop(words[1])[1].cancel()
            print("given up", flush=True)
        elif command == "unary":
            answer, call = unary.with_call(words[1].encode())
            print("answer %s %s" % (answer.decode(), dict(call.trailing_metadata()).get("x-bytes")), flush=True)
        elif command == "large":
            size = int(words[1])
            answer = unary(b"x" * size)
            print("large %s" % (answer == b"x" * size), flush=True)
        elif command == "chatter":
            outgoing = Outgoing()
            call = channel.stream_stream("/t/Echo", identity, identity)(outgoing)
            for _ in range(int(words[1])):
                outgoing.put(b"tick")
                next(call)
            call.cancel()
            print("chattered", flush=True)
        elif command == "wait":
            waiting = channel.unary_unary("/t/Held", identity, identity).future(words[1].encode())
            print("waits", flush=True)
        elif command == "done":
            print("done %s" % waiting.result().decode(), flush=True)
        elif command == "fail":
            print(ended(channel.unary_unary("/t/Fail", identity, identity).future(b"x")), flush=True)
        elif command == "deadline":
            print(ended(channel.unary_unary("/t/Deadline", identity, identity).future(b"x", timeout=0.5)), flush=True)
        elif command == "states":
            print("states %s" % " ".join(state for state in states if state != "CONNECTING"), flush=True)


if sys.argv[1] == "server":
    serve()
else:
    ask(sys.argv[2])
