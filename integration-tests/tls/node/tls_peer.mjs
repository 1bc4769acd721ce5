// Node's tls as a client: each connection lives through ten upgrades.
// tls_peer.mjs PORT CA PID_FILE
import fs from 'node:fs';
import { once } from 'node:events';
import tls from 'node:tls';
import { check, upgrade } from './upgrades.mjs';

const [port, ca, pidFile] = process.argv.slice(2);
const trust = { ca: fs.readFileSync(ca), servername: 'localhost', host: '127.0.0.1', port };

async function connect(options) {
  const socket = tls.connect({ ...trust, ...options });
  await once(socket, 'secureConnect');
  check(socket.authorized, `not authorized: ${socket.authorizationError}`);
  return socket;
}

async function readTo(socket, mark) {
  let text = '';
  while (!text.endsWith(mark)) {
    const piece = socket.read();
    if (piece !== null) {
      text += piece.toString('latin1');
    } else {
      check(!socket.readableEnded, `the connection ended after "${text}"`);
      await Promise.race([once(socket, 'readable'), once(socket, 'end')]);
    }
  }
  return text;
}

const sockets = [
  await connect({ minVersion: 'TLSv1.3' }),
  await connect({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }),
  await connect({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-CHACHA20-POLY1305' }),
];
for (let round = 0; round < 10; ++round) {
  for (const socket of sockets) {
    const body = 'b'.repeat(50_000 + round);
    socket.write(`POST /echo?${round} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length + 4}\r\n\r\n${body}`);
  }
  await upgrade(pidFile);
  for (const socket of sockets) {
    socket.write(' end');
    const answer = await readTo(socket, ' end');
    check(answer.includes(`POST /echo?${round} `) && answer.endsWith(`\r\n\r\n${'b'.repeat(50_000 + round)} end`), 'another echo');
  }
}
for (const socket of sockets) {
  socket.end();
  await once(socket, 'close');
}
console.log('ok');
