/**
 * Money: whole cents, never fractions of one.
 *
 * Rounding rule, stated once: a percentage is rounded half up to the cent
 * (879.5 cents become 880), on the sum, not line by line.
 */

/** An amount in the smallest unit of its currency; a safe integer. */
export type Cents = number;

/** Currencies that GrowthCorp takes. Amounts are never converted. */
export const CURRENCIES = ["USD", "EUR", "GBP"] as const;

/** One of {@link CURRENCIES}. */
export type Currency = (typeof CURRENCIES)[number];

const SIGNS: Readonly<Record<Currency, string>> = { USD: "$", EUR: "€", GBP: "£" };

/** `percent` of an amount ≥ 0, half up to the cent; exact below 10 to the power 13 cents. */
export function percentOf(amount: Cents, percent: number): Cents {
  return Math.floor((amount * percent + 50) / 100);
}

/** `12476` in USD is `$124.76`. */
export function formatMoney(amount: Cents, currency: Currency = "USD"): string {
  const cents = Math.abs(amount);
  const fraction = String(cents % 100).padStart(2, "0");
  return `${amount < 0 ? "-" : ""}${SIGNS[currency]}${Math.floor(cents / 100)}.${fraction}`;
}
