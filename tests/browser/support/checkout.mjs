// The checkout as a shopper sees it: found by role and name, as a screen reader would find it.

/** The simulator's test cards. */
export const CARDS = {
  approved: '4242 4242 4242 4242',
  declined: '4000 0000 0000 0002',
  insufficientFunds: '4000 0000 0000 9995',
  challenged: '4000 0025 0000 3155',
};

/** The checkout of `service`, wherever the visitor has it: as the page itself or embedded in another. */
export async function checkoutOf(visitor, service) {
  return new Checkout(visitor, service, await visitor.frame(`${service.baseUrl}/checkout/`));
}

class Checkout {
  #visitor;
  #service;

  constructor(visitor, service, frame) {
    this.#visitor = visitor;
    this.#service = service;
    this.frame = frame;
  }

  get payButton() {
    return this.frame.getByRole('button', { name: /^Pay/ });
  }

  get anotherCardButton() {
    return this.frame.getByRole('button', { name: 'Use another card' });
  }

  get alert() {
    return this.frame.getByRole('alert');
  }

  /** Resolves when the heading of a view is seen. */
  heading(name) {
    return this.frame.getByRole('heading', { name }).waitFor();
  }

  /** Types a card into the PSP's fields. */
  async enter(number) {
    const fields = await this.#visitor.frame(`${this.#service.simulatorUrl}/fields`);
    await fields.getByLabel('Card number').fill(number);
    await fields.getByLabel('Expiry date').fill('12 / 34');
    await fields.getByLabel(/^Security code/).fill('123');
  }

  async pay(number) {
    await this.enter(number);
    await this.payButton.click();
  }

  /** Presses one of the two buttons of the bank's page: `pass` or `fail`. */
  async answerChallenge(outcome) {
    await this.heading('Confirm with your bank');
    const challenge = await this.#visitor.frame(`${this.#service.simulatorUrl}/challenge/`);
    await challenge.locator(`button[name="outcome"][value="${outcome}"]`).click();
  }
}
