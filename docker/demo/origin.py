"""The demo's origin: small answers, downloads, uploads, events and WebSockets on port 8000, TCP that echoes on 9000."""
import asyncio
import base64
import hashlib

from content import Content, event, small_answer

PIECE = 65536
EVENT_INTERVAL_S = 0.02


async def serve_http(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            _, target, _ = head.split("\r\n")[0].split(" ")
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            kind, _, rest = target[1:].partition("/")
            await ANSWERS[kind](reader, writer, rest, fields, head)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer_small(_, writer, name, *__):
    body = small_answer(name)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await writer.drain()


async def answer_download(_, writer, rest, *__):
    stream, size = rest.split("/")
    content, size = Content(stream), int(size)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    for offset in range(0, size, PIECE):
        writer.write(content.at(offset, min(PIECE, size - offset)))
        await writer.drain()


async def answer_upload(reader, writer, _, fields, *__):
    digest, left = hashlib.sha256(), int(fields["content-length"])
    while left:
        piece = await reader.read(min(PIECE, left))
        if not piece:
            raise ConnectionError("the upload ended early")
        digest.update(piece)
        left -= len(piece)
    body = digest.hexdigest().encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await writer.drain()


async def answer_events(_, writer, *__):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    number = 0
    while True:
        text = event(number)
        writer.write(b"%x\r\n%b\r\n" % (len(text), text))
        await writer.drain()
        await asyncio.sleep(EVENT_INTERVAL_S)
        number += 1


async def answer_websocket(reader, writer, _, __, head):
    key = next(line[19:].strip() for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key: "))
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept)
    while True:
        # Each message is one masked frame of 126 to 65535 bytes; it goes back unmasked.
        first, _, *size = await reader.readexactly(4)
        size = int.from_bytes(size, "big")
        mask = await reader.readexactly(4)
        payload = await reader.readexactly(size)
        writer.write(bytes([first, 126]) + size.to_bytes(2, "big") + unmask(payload, mask))
        await writer.drain()


def unmask(payload, mask):
    repeated = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


async def echo(reader, writer):
    try:
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


ANSWERS = {"small": answer_small, "download": answer_download, "upload": answer_upload, "events": answer_events,
           "websocket": answer_websocket}


async def main():
    servers = await asyncio.gather(asyncio.start_server(serve_http, None, 8000), asyncio.start_server(echo, None, 9000))
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
