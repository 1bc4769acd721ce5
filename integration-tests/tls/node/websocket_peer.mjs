// `ws` over TLS: one WebSocket through ten upgrades. The package is in the folder that this runs in.
// websocket_peer.mjs PORT CA PID_FILE
import fs from 'node:fs';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { check, upgrade } from './upgrades.mjs';

const WebSocket = createRequire(`${process.cwd()}/`)('ws');
const [port, ca, pidFile] = process.argv.slice(2);
const socket = new WebSocket(`wss://127.0.0.1:${port}/`, { ca: fs.readFileSync(ca), servername: 'localhost' });
await once(socket, 'open');
for (let round = 0; round < 10; ++round) {
  const sent = Buffer.alloc(70_000, `round ${round}, `);
  socket.send(sent);
  const [before] = await once(socket, 'message');
  check(sent.equals(before), 'another message');
  await upgrade(pidFile);
  socket.ping(`still there ${round}`);
  const [pong] = await once(socket, 'pong');
  check(pong.toString() === `still there ${round}`, 'another pong');
}
socket.close(1000);
const [code] = await once(socket, 'close');
check(code === 1000, `closed with ${code}`);
console.log('ok');
