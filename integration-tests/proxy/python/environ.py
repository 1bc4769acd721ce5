"""An origin that shows each request as an application behind WSGI, and so behind CGI, Rack or PHP, sees it: one line for
each variable that came from a field. Prints its port."""
from wsgiref.simple_server import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def application(environ, start_response):
    names = sorted(name for name in environ if name.startswith("HTTP_"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["".join(f"{name}={environ[name]}\n" for name in names).encode("latin-1")]


server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
