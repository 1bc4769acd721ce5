// What the scripts have in common: upgrading Baton, and a check that says what was wrong.
import fs from 'node:fs';

export function check(condition, what) {
  if (!condition) throw new Error(what);
}

function isAlive(pid) {
  try {
    return fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()[0] !== 'Z';
  } catch {
    return false;
  }
}

// Sends USR2 and waits until another process is the instance and the old one is gone.
export async function upgrade(pidFile) {
  const before = Number(fs.readFileSync(pidFile, 'utf8'));
  process.kill(before, 'SIGUSR2');
  const deadline = Date.now() + 20_000;
  while (Number(fs.readFileSync(pidFile, 'utf8')) === before || isAlive(before)) {
    check(Date.now() < deadline, 'no upgrade');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
