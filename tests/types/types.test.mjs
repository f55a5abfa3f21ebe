// The types of oncharge.js: shops can compile against them, and the script itself conforms to them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ASSETS = fileURLToPath(new URL('../../crates/adapter-http/assets/', import.meta.url));
const COMPILER = join(HERE, 'node_modules/typescript/bin/tsc');
const TIMEOUT = 180_000;

/** The compiler's output in this directory; empty if there are no errors. */
function compile(cwd, ...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMPILER, '--pretty', 'false', ...args], { cwd }, (error, stdout, stderr) => {
      const said = (stdout + stderr).trim();
      resolve(error && !said ? String(error) : said);
    });
  });
}

/** Compiles script and types together, unchanged or with `from` replaced by `to` in the script. */
async function compileScript(from = '', to = '') {
  const directory = mkdtempSync(join(tmpdir(), 'oncharge-types-'));
  try {
    const files = ['oncharge.js', 'oncharge.d.ts'].map((name) => {
      const text = readFileSync(join(ASSETS, name), 'utf8');
      if (name === 'oncharge.js') assert.ok(text.includes(from), `the script does not contain: ${from}`);
      const path = join(directory, name);
      writeFileSync(path, name === 'oncharge.js' ? text.replace(from, to) : text);
      return path;
    });
    const flags = ['--ignoreConfig', '--strict', '--noEmit', '--allowJs', '--checkJs'];
    return await compile(directory, ...flags, '--target', 'es2022', '--lib', 'es2022,dom', '--types', '', ...files);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe('the types of oncharge.js', { timeout: 3 * TIMEOUT, concurrency: 4 }, () => {
  test('accept valid use and reject invalid use', { timeout: TIMEOUT }, async () => {
    assert.equal(await compile(HERE, '-p', '.'), '');
  });

  test('match the script', { timeout: TIMEOUT }, async () => {
    assert.equal(await compileScript(), '');
  });

  for (const [what, from, to, complaint] of [
    ['reports a member by another name', 'onError({ sessionId })', 'onError({ id: sessionId })', /Failure/],
    ['reports nothing with a result', 'onResult({ sessionId, status: message.status })', 'onResult()', /argument/],
    ['reads an option that does not exist', 'iframeUrl, title, onReady', 'iframeUrl, label, onReady', /label/],
    ['returns no unmount function', 'unmount()', 'remove()', /Mounted/],
    ['offers mount by another name', '{ mount }', '{ open: mount }', /mount|open/],
  ]) {
    test(`do not match a script that ${what}`, { timeout: TIMEOUT }, async () => {
      assert.match(await compileScript(from, to), complaint);
    });
  }
});
