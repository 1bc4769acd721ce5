// Node's http2 as a client: one session through ten upgrades, with many streams at a time.
// session.mjs PORT CA PID_FILE TLS_VERSION
import fs from 'node:fs';
import http2 from 'node:http2';
import { once } from 'node:events';
import { check, upgrade } from '../../tls/node/upgrades.mjs';

const [port, ca, pidFile, version] = process.argv.slice(2);
const rounds = 10;
const session = http2.connect(`https://localhost:${port}`, {
  ca: fs.readFileSync(ca),
  minVersion: version,
  maxVersion: version,
  settings: { enablePush: false, initialWindowSize: 20_000 },
});
let isOver = false;
for (const event of ['close', 'goaway', 'error', 'frameError', 'timeout', 'stream']) {
  session.on(event, (...what) => {
    if (isOver && event === 'close') return;
    console.error(`the session says ${event}:`, ...what);
    process.exit(1);
  });
}
await once(session, 'connect');
check(session.alpnProtocol === 'h2' && session.encrypted, `it speaks ${session.alpnProtocol}`);
const ownPort = session.socket.localPort;

// Begins a request; `answer` comes with its status, body and trailers.
function begin(path, { fields = {}, ...options } = {}) {
  const stream = session.request({ ':path': path, ...fields }, options);
  const answer = new Promise((resolve, reject) => {
    const pieces = [];
    let head = {};
    let trailers = {};
    stream.on('response', (came) => { head = came; });
    stream.on('trailers', (came) => { trailers = came; });
    stream.on('data', (piece) => pieces.push(piece));
    stream.on('error', reject);
    stream.on('aborted', () => reject(new Error(`${path} was aborted`)));
    stream.on('close', () => {
      if (stream.rstCode !== 0) return reject(new Error(`${path} was reset with ${stream.rstCode}`));
      resolve({ status: head[':status'], body: Buffer.concat(pieces).toString('latin1'), trailers });
    });
  });
  return { stream, answer };
}

function post(path, options) {
  return begin(path, { ...options, fields: { ':method': 'POST', ...options?.fields }, endStream: false });
}

function ping() {
  return new Promise((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
}

const held = [...Array(20)].map(() => begin('/held'));
const long = post('/echo');
let said = '';
for (let round = 0; round < rounds; ++round) {
  const gets = [...Array(30)].map((_, i) => [2_000 * i + round, begin(`/bytes/${2_000 * i + round}`)]);
  const chunked = [...Array(5)].map(() => begin('/chunked/30000'));
  const uploads = [...Array(10)].map((_, i) => {
    const { stream, answer } = post('/echo', { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-number': `${i}` }));
    const body = `upload ${i} of round ${round}, `.repeat(2_000);
    stream.write(body.slice(0, 30_000));
    return { i, stream, answer, body };
  });
  const trailers = begin('/trailers', { fields: { te: 'trailers' } });
  long.stream.write(`${round}, `);
  said += `${round}, `;
  const pinged = ping();
  await upgrade(pidFile);
  for (const { stream, body } of uploads) stream.end(body.slice(30_000));
  await pinged;
  await ping();
  for (const [bytes, { answer }] of gets) {
    const { status, body } = await answer;
    check(status === 200 && body.length === bytes, `${bytes} bytes: ${status}, ${body.length}`);
  }
  for (const { answer } of chunked) check((await answer).body.length === 30_000, 'another body');
  for (const { i, answer, body } of uploads) {
    const echo = (await answer).body;
    check(echo.includes(body) && echo.endsWith(`trailer x-number: ${i}`), 'another echo');
  }
  const last = await trailers.answer;
  check(last.body === 'hello' && last.trailers['x-checksum'] === 'abc123', 'other trailers');
}
long.stream.end();
check((await long.answer).body.includes(said), 'the long upload is another one');
check(session.remoteSettings.maxConcurrentStreams === 100, 'other settings');
console.log('held');
for (const { answer } of held) check((await answer).body === 'held', 'another body');
check(session.socket.localPort === ownPort && !session.closed && !session.destroyed, 'another session');
isOver = true;
session.close();
await once(session, 'close');
console.log('ok');
