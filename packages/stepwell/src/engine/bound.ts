/**
 * Bound: objects with many methods, of which most callers use one or two. The methods
 * stand on a shared prototype and are bound when they are asked for: such an object costs
 * two allocations instead of one per method, and `const { step } = ctx` works all the same.
 */

/** What the methods of a bound object work on. */
const SELF = Symbol("stepwell.self");

/** By name: what a method does, or what a property is. At most four arguments reach a method. */
type Members<Self> = {
  readonly methods: Readonly<Record<string, (self: Self, ...args: never[]) => unknown>>;
  readonly values: Readonly<Record<string, (self: Self) => unknown>>;
};

type Bound<Self> = { [SELF]: Self };

/** A maker of such objects. */
export function openBinder<Self>({ methods, values }: Members<Self>): (self: Self) => object {
  const prototype = {};
  for (const [name, method] of Object.entries(methods)) {
    const call = method as (self: Self, ...args: readonly unknown[]) => unknown;
    define(prototype, name, (self: Self) => (a: unknown, b: unknown, c: unknown, d: unknown) => call(self, a, b, c, d));
  }
  for (const [name, value] of Object.entries(values)) define(prototype, name, value);
  return (self) => {
    const bound = Object.create(prototype) as Bound<Self>;
    bound[SELF] = self;
    return bound;
  };
}

function define<Self>(prototype: object, name: string, read: (self: Self) => unknown): void {
  Object.defineProperty(prototype, name, {
    enumerable: true,
    get(this: Bound<Self>) {
      return read(this[SELF]);
    },
  });
}
