/**
 * Slope: a straight line through measurements, and how well it is known.
 */

/** One measurement. */
export type Point = { readonly x: number; readonly y: number };

/** `perX` ± `margin` covers the true slope 19 times in 20, if measurements are independent of each other. */
export type Slope = { readonly perX: number; readonly margin: number };

/**
 * Ordinary least squares. With fewer than three points, or all at one place, nothing is known: the margin is infinite.
 *
 * Neighbours in time are alike, so the true margin is wider than this one.
 */
export function fitSlope(points: readonly Point[]): Slope {
  const count = points.length;
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / count;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / count;
  const spread = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  if (count < 3 || spread === 0) return { perX: 0, margin: Infinity };
  const perX = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / spread;
  const rest = points.reduce((sum, { x, y }) => sum + (y - meanY - perX * (x - meanX)) ** 2, 0);
  return { perX, margin: studentT(count - 2) * Math.sqrt(rest / (count - 2) / spread) };
}

/** Two-sided 95 % quantile of Student's t; within 2 % of the tables from two degrees of freedom on. */
function studentT(degrees: number): number {
  return degrees === 1 ? 12.71 : 1.96 + 2.37 / degrees + 2.8 / degrees ** 2 + 3.66 / degrees ** 3;
}
