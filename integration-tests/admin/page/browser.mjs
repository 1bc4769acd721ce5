// browser.mjs CHROMIUM, in the folder of its packages
// A Chromium that does what page_test.cpp says: a JSON object per line of standard input, and for each one an answer,
// {"value":…} or {"error":"…"}.
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const { chromium } = createRequire(`${process.cwd()}/`)('playwright-core');
const browser = await chromium.launch({
  executablePath: process.argv[2],
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-proxy-server'],
});
let page;
let seen;

const orders = {
  // A new page, in place of the last one.
  async open({ url, javascript = true }) {
    await page?.context().close();
    const context = await browser.newContext({ javaScriptEnabled: javascript, viewport: { width: 1280, height: 900 } });
    page = await context.newPage();
    page.setDefaultTimeout(60_000);
    seen = { errors: [], streams: 0, loads: 0 };
    const { errors } = seen;
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('request', (request) => (seen.streams += request.resourceType() === 'eventsource' ? 1 : 0));
    page.on('load', () => ++seen.loads);
    await page.goto(url);
  },
  // Until an element that is shown has this text, and its whole text.
  async text({ of, matches }) {
    const found = page.locator(of).filter({ hasText: new RegExp(matches) }).filter({ visible: true }).first();
    await found.waitFor();
    return found.textContent();
  },
  async gone({ of }) {
    await page.locator(of).first().waitFor({ state: 'hidden' });
  },
  async enabled({ of, is }) {
    const found = page.locator(`${of}:${is ? 'enabled' : 'disabled'}`).first();
    await found.waitFor();
  },
  click: ({ of }) => page.locator(of).first().click(),
  fill: ({ of, text }) => page.locator(of).fill(text),
  count: ({ of }) => page.locator(of).count(),
  async look({ width, dark, picture }) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
    await page.screenshot({ path: picture, fullPage: true });
    return page.evaluate(() => ({
      wider: document.documentElement.scrollWidth - window.innerWidth,
      ground: getComputedStyle(document.body).backgroundColor,
    }));
  },
  seen: async () => seen,
  // A port that leads to a Unix socket, as `ssh -L` makes one.
  forward: ({ to }) =>
    new Promise((resolve) => {
      const server = createServer((client) => {
        const other = connect(to);
        client.pipe(other).pipe(client);
        for (const one of [client, other]) one.on('error', () => [client, other].forEach((each) => each.destroy()));
      });
      server.listen(0, '127.0.0.1', () => resolve(server.address().port));
    }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: (await orders[order.do](order)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
await browser.close();
process.exit();
