// The checkout's texts by key and language, from its own message files: tests find elements by the text that
// the shopper sees, and a changed text does not require a changed test.
import { readFileSync } from 'node:fs';

const FILES = new URL('../../../crates/adapter-http/assets/messages/', import.meta.url);
const messages = new Map();

/** The texts of a locale's language, with these values in their placeholders. */
export function textsIn(locale, values = {}) {
  const language = locale.split('-')[0];
  if (!messages.has(language)) {
    messages.set(language, JSON.parse(readFileSync(new URL(`${language}.json`, FILES), 'utf8')));
  }
  return new Texts(language, messages.get(language), values);
}

/** An amount in minor units in this locale's format. */
export function amountIn(locale, { amount, currency }) {
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency });
  const decimals = format.resolvedOptions().maximumFractionDigits;
  return format.format(amount / 10 ** decimals);
}

class Texts {
  #messages;
  #values;

  constructor(language, messages, values) {
    this.language = language;
    this.#messages = messages;
    this.#values = values;
  }

  /** The text of a key with its placeholders replaced. Throws for an unknown key or a placeholder without a value. */
  text(key, values = {}) {
    return this.#parts(key, values)
      .map(({ text, place }) => {
        if (text === undefined) throw new Error(`no value for {${place}} of ${key}`);
        return text;
      })
      .join('');
  }

  /**
   * A pattern for the whole text of a key, or of several in a row, with anything in the placeholders without
   * a value. Spaces match any white space: locales write amounts with several kinds of it.
   */
  pattern(keys, values = {}) {
    const source = (key) => this.#parts(key, values).map(({ text }) => (text === undefined ? '.+' : escaped(text)));
    const sources = [keys].flat().map((key) => source(key).join(''));
    return new RegExp(`^\\s*${sources.join('\\s+')}\\s*$`);
  }

  #parts(key, values) {
    const message = this.#messages[key];
    if (message === undefined) throw new Error(`there is no message ${key} in ${this.language}`);
    const known = { ...this.#values, ...values };
    return message
      .split(/(\{\w+\})/)
      .filter((part) => part !== '')
      .map((part) => {
        const place = /^\{(\w+)\}$/.exec(part)?.[1];
        return place ? { place, text: known[place] } : { text: part };
      });
  }
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+');
