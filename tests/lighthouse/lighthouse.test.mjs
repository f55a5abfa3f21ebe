// What Lighthouse says of the hosted checkout, on a phone and on a desktop.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from 'chrome-launcher';
import lighthouse, { desktopConfig } from 'lighthouse';
import { startService } from '../browser/support/service.mjs';

const TIMEOUT = 240_000;
/** How fast a page is differs from run to run; what is judged is the run in the middle. */
const RUNS = 3;
const LEAST = { performance: 95, accessibility: 95 };
/** The third is good to know. */
const CATEGORIES = [...Object.keys(LEAST), 'best-practices'];
const METRICS = [
  'first-contentful-paint',
  'largest-contentful-paint',
  'total-blocking-time',
  'cumulative-layout-shift',
];
const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];

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
    service?.sweep();
  });

  const audit = async (preset) => {
    const session = await service.createSession({ return_url: 'https://shop.example.com/thanks' });
    const flags = { port: chrome.port, onlyCategories: CATEGORIES, output: 'json', logLevel: 'silent' };
    const { lhr } = await lighthouse(service.checkoutUrl(session), flags, preset);
    assert.equal(lhr.runtimeError, undefined, lhr.runtimeError?.message);
    return lhr;
  };

  for (const [name, preset] of [['a phone', undefined], ['a desktop', desktopConfig]]) {
    test(`on ${name}`, { timeout: TIMEOUT }, async (context) => {
      const reports = [];
      for (let n = 0; n < RUNS; n += 1) reports.push(await audit(preset));

      for (const category of CATEGORIES) {
        const scores = reports.map(({ categories }) => Math.round(categories[category].score * 100));
        const middle = [...scores].sort((a, b) => a - b)[Math.floor(RUNS / 2)];
        context.diagnostic(`${category} ${middle} (${scores.join(', ')})`);
        const least = LEAST[category] ?? 0;
        assert.ok(middle >= least, `${category} ${scores}: ${faults(reports[0], category)}`);
      }
      const { audits } = reports[0];
      context.diagnostic(METRICS.map((id) => `${id} ${audits[id].displayValue}`).join(', '));
    });
  }

  /** The audits of a category that took points off. */
  const faults = ({ audits, categories }, category) =>
    categories[category].auditRefs
      .filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 1)
      .map(({ id }) => `${id} (${audits[id].displayValue ?? audits[id].title})`)
      .join(', ');
});
