// Lighthouse's scores of the hosted checkout, on a phone and on a desktop. On a busy machine the performance
// depends on the load, so only the other scores are asserted.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from 'chrome-launcher';
import lighthouse, { desktopConfig } from 'lighthouse';
import { watchingLoad } from '../browser/support/load.mjs';
import { startService } from '../browser/support/service.mjs';

const TIMEOUT = 240_000;
const LEAST_SCORE = 95;
/** A slow run on a quiet machine is repeated, because another process may have started during it. */
const RUNS = 3;
/** The last one is informative only. */
const CATEGORIES = ['performance', 'accessibility', 'best-practices'];
const METRICS = [
  'first-contentful-paint',
  'largest-contentful-paint',
  'total-blocking-time',
  'cumulative-layout-shift',
];
const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
const MOST_LAYOUT_SHIFT = 0.01;
const MOST_BYTES = 100_000;
const MOST_ELEMENTS = 200;

describe('the hosted checkout, by Lighthouse', { timeout: 3 * TIMEOUT }, () => {
  let service;
  let chrome;

  before(async () => {
    service = await startService();
    chrome = await launch({
      chromePath: process.env.ONCHARGE_TEST_CHROMIUM ?? '/usr/bin/chromium',
      chromeFlags: FLAGS,
      logLevel: 'silent',
    });
  });
  after(async () => {
    chrome?.kill();
    await service?.stop();
    service?.removeFiles();
  });

  const audit = async (preset) => {
    const session = await service.createSession({ return_url: 'https://shop.example.com/thanks' });
    const flags = {
      port: chrome.port,
      onlyCategories: CATEGORIES,
      output: 'json',
      logLevel: 'silent',
      maxWaitForLoad: TIMEOUT / 2,
    };
    const { lhr } = await lighthouse(service.checkoutUrl(session), flags, preset);
    assert.equal(lhr.runtimeError, undefined, lhr.runtimeError?.message);
    return lhr;
  };

  /** Runs the audit, again if it was slow on a quiet machine. */
  const audits = async (preset) => {
    for (let run = 1; ; run += 1) {
      const { result, quiet } = await watchingLoad(() => audit(preset));
      if (run === RUNS || !quiet || score(result, 'performance') >= LEAST_SCORE) return { report: result, quiet };
    }
  };

  for (const [name, preset] of [['a phone', undefined], ['a desktop', desktopConfig]]) {
    test(`on ${name}`, { timeout: TIMEOUT }, async (context) => {
      const { report, quiet } = await audits(preset);
      context.diagnostic(CATEGORIES.map((category) => `${category} ${score(report, category)}`).join(', '));
      context.diagnostic(METRICS.map((id) => `${id} ${report.audits[id].displayValue}`).join(', '));

      assertScore(report, 'accessibility');
      assertLight(report.audits);
      if (quiet) assertScore(report, 'performance');
      else context.diagnostic('the machine is busy: the performance is not asserted');
    });
  }
});

const score = ({ categories }, category) => Math.round(categories[category].score * 100);

function assertScore(report, category) {
  assert.ok(score(report, category) >= LEAST_SCORE, `${category} ${score(report, category)}: ${faults(report, category)}`);
}

/** Properties of a quick page on any machine: little to load, nothing that blocks rendering, no layout shifts. */
function assertLight({ 'network-requests': network, 'total-byte-weight': weight, ...audits }) {
  const shift = audits['cumulative-layout-shift'].numericValue;
  assert.ok(shift <= MOST_LAYOUT_SHIFT, `the layout shifts by ${shift}`);
  assert.ok(weight.numericValue <= MOST_BYTES, `${weight.numericValue} bytes are loaded`);
  const elements = (audits['dom-size-insight'] ?? audits['dom-size'])?.numericValue ?? 0;
  assert.ok(elements <= MOST_ELEMENTS, `${elements} elements`);
  const blocking = audits['render-blocking-insight'] ?? audits['render-blocking-resources'];
  assert.deepEqual(blocking?.details?.items ?? [], [], 'something blocks the first paint');
  const urls = network.details.items.map(({ url }) => url).filter((url) => url.startsWith('http'));
  assert.ok(urls.length > 1, 'the page or its card fields are not loaded');
}

/** The audits of a category that reduced its score. */
const faults = ({ audits, categories }, category) =>
  categories[category].auditRefs
    .filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 1)
    .map(({ id }) => `${id} (${audits[id].displayValue ?? audits[id].title})`)
    .join(', ');
