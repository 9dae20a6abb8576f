/**
 * Customers of GrowthCorp and their tiers. All of them are invented; their
 * addresses are under example.com, which nobody can own.
 */

/** Tiers, cheapest first. Premium and enterprise ship free. */
export const TIERS = ["standard", "premium", "enterprise"] as const;

/** One of {@link TIERS}. */
export type Tier = (typeof TIERS)[number];

/** A customer as an order carries it. */
export type Customer = {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly tier: Tier;
};

/** The data set. */
export const CUSTOMERS: readonly Customer[] = [
  { id: "cust-01", name: "Nora Lind", email: "nora@example.com", tier: "standard" },
  { id: "cust-02", name: "Tomas Rey", email: "tomas@example.com", tier: "premium" },
  { id: "cust-03", name: "Bluefin Ltd", email: "orders@bluefin.example.com", tier: "enterprise" },
  { id: "cust-04", name: "Ines Faro", email: "ines@example.com", tier: "standard" },
  { id: "cust-05", name: "Jonas Beck", email: "jonas@example.com", tier: "standard" },
  { id: "cust-06", name: "Mei Tanaka", email: "mei@example.com", tier: "premium" },
];

/** The customer of that id; for data that names it literally. */
export function getCustomer(id: string): Customer {
  const customer = CUSTOMERS.find((candidate) => candidate.id === id);
  if (customer === undefined) throw new RangeError(`no customer "${id}" in the data set`);
  return customer;
}
