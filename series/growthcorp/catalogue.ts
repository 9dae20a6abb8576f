/**
 * Catalogue: what GrowthCorp sells. The data set that every chapter starts from.
 */
import type { Cents } from "./money.ts";

/** A product as the shop lists it. */
export type Product = {
  readonly id: string;
  readonly name: string;
  readonly priceCents: Cents;
  /** Pieces on the shelf when the data set is loaded. */
  readonly stock: number;
  /** False: no longer sold; old carts may still hold it. */
  readonly active: boolean;
};

/** Mouse and keyboard are the golden case: 2 × 29.99 + 49.99. */
export const CATALOGUE: readonly Product[] = [
  { id: "mouse", name: "Wireless mouse", priceCents: 2_999, stock: 400, active: true },
  { id: "keyboard", name: "Mechanical keyboard", priceCents: 4_999, stock: 250, active: true },
  { id: "headset", name: "Noise-cancelling headset", priceCents: 18_950, stock: 80, active: true },
  { id: "webcam", name: "Webcam, 1080p", priceCents: 7_490, stock: 120, active: true },
  { id: "dock", name: "USB-C dock", priceCents: 13_900, stock: 60, active: true },
  { id: "cable", name: "USB-C cable, 2 m", priceCents: 1_249, stock: 900, active: true },
  { id: "lamp", name: "Desk lamp", priceCents: 5_405, stock: 45, active: true },
  { id: "mat", name: "Desk mat", priceCents: 1_995, stock: 300, active: true },
  { id: "chair", name: "Office chair", priceCents: 32_900, stock: 12, active: true },
  { id: "camera", name: "Film camera, last of its kind", priceCents: 42_000, stock: 1, active: true },
  { id: "modem", name: "Dial-up modem", priceCents: 3_900, stock: 25, active: false },
];

const BY_ID: ReadonlyMap<string, Product> = new Map(CATALOGUE.map((product) => [product.id, product]));

/** The product of that id, or null. */
export function findProduct(id: string): Product | null {
  return BY_ID.get(id) ?? null;
}

/** The product of that id; for data that names it literally. */
export function getProduct(id: string): Product {
  const product = BY_ID.get(id);
  if (product === undefined) throw new RangeError(`no product "${id}" in the catalogue`);
  return product;
}
