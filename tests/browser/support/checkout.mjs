// The checkout as a shopper sees it: elements are found by role and by the text in the shopper's language, as
// by a screen reader.
import { becomes } from './until.mjs';
import { amountIn, textsIn } from './texts.mjs';

/** The simulator's test cards. */
export const CARDS = {
  approved: '4242 4242 4242 4242',
  declined: '4000 0000 0000 0002',
  insufficientFunds: '4000 0000 0000 9995',
  expired: '4000 0000 0000 0069',
  challenged: '4000 0025 0000 3155',
};

/** The names of the sandbox's merchant and PSP that shoppers see. */
const MERCHANT = 'Demo Shop';
const PROCESSOR = 'Simulator';

/**
 * The checkout of `service`, as the page itself or embedded in another. With `session`, its amount and
 * reference are known as well.
 */
export async function checkoutOf(visitor, service, session) {
  const frame = await visitor.frame(`${service.baseUrl}/checkout/`);
  const values = {
    merchant: MERCHANT,
    processor: PROCESSOR,
    ...(session && { amount: amountIn(visitor.locale, session), reference: session.reference }),
  };
  return new Checkout(visitor, service, frame, textsIn(visitor.locale, values));
}

class Checkout {
  #visitor;
  #service;

  constructor(visitor, service, frame, texts) {
    this.#visitor = visitor;
    this.#service = service;
    this.frame = frame;
    this.texts = texts;
  }

  get payButton() {
    return this.button('live.pay');
  }

  get anotherCardButton() {
    return this.button('challenge.abandon');
  }

  get backLink() {
    return this.frame.getByRole('link', { name: this.#name('back.link') });
  }

  get alert() {
    return this.frame.getByRole('alert');
  }

  /** A button, by the key of its text. */
  button(key) {
    return this.frame.getByRole('button', { name: this.#name(key) });
  }

  /** Resolves when the heading of a view is visible: by the key of its text, or by the text itself. */
  heading(name) {
    return this.headingOf(name).waitFor();
  }

  /** A heading, as a locator. */
  headingOf(name) {
    return this.frame.getByRole('heading', { name: this.#name(name) });
  }

  /** Resolves when a text is visible, by its key. */
  says(key, values) {
    return this.textOf(key, values).waitFor();
  }

  /** A visible text, as a locator. */
  textOf(key, values) {
    return this.frame.getByText(this.texts.pattern(key, values)).filter({ visible: true }).first();
  }

  /** Resolves when the alert has this text, by its key; with `lastTry`, also the note that the next attempt is the last. */
  alerts(key, values, { lastTry = false } = {}) {
    const keys = lastTry ? [key, 'live.last_try'] : [key];
    return this.alert.filter({ hasText: this.texts.pattern(keys, values) }).waitFor();
  }

  /** Resolves when the amount is shown in this format. */
  shows(amount) {
    const read = async () => (await this.frame.locator('#amount').innerText()).replace(/\s/gu, ' ');
    return becomes(read, amount, 'the amount');
  }

  /** The frame of the PSP's card fields. */
  fields() {
    return this.#visitor.frame(`${this.#service.simulatorUrl}/fields`);
  }

  /** The frame of the issuer's page. */
  challenge() {
    return this.#visitor.frame(`${this.#service.simulatorUrl}/challenge/`);
  }

  /** Resolves when the PSP's fields have loaded. */
  ready() {
    return this.frame.locator('.fields:not(.loading)').waitFor();
  }

  /** Types a card into the PSP's fields, once they have loaded. */
  async enter(number) {
    await this.ready();
    const fields = await this.fields();
    await fields.locator('#number').fill(number);
    await fields.locator('#expiry').fill('12 / 34');
    await fields.locator('#cvc').fill('123');
  }

  async pay(number) {
    await this.enter(number);
    await this.payButton.click();
  }

  /** Resolves when the issuer's page has loaded and has been given its height. */
  async challengeReady() {
    await this.heading('challenge.heading');
    await this.frame.locator('#challenge-frame:not(.loading) iframe').waitFor();
    const challenge = await this.challenge();
    const { height } = await challenge.locator('body').boundingBox();
    const given = () => this.frame.locator('#challenge-frame iframe').evaluate((frame) => parseInt(frame.style.height));
    await becomes(given, Math.ceil(height), 'the height of the issuer’s page');
  }

  /** The distance in px of the button to use another card from the top of the checkout. */
  anotherCardOffset() {
    return this.anotherCardButton.evaluate((button) => button.getBoundingClientRect().top + window.scrollY);
  }

  /** Presses one of the two buttons of the issuer's page: `pass` or `fail`. */
  async answerChallenge(outcome) {
    await this.challengeReady();
    const challenge = await this.challenge();
    await challenge.locator(`button[name="outcome"][value="${outcome}"]`).click();
  }

  // Keys contain a dot; literal headings do not.
  #name(key) {
    return /^[a-z_]+(\.[a-z_]+)+$/.test(key) ? this.texts.pattern(key) : key;
  }
}
