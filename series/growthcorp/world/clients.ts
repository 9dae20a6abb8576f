/**
 * The world's systems as clients, for a program to depend on.
 */
import type { Clients } from "../clients.ts";
import { openGateway } from "./gateway.ts";
import { openInventory } from "./inventory.ts";
import { openMailer } from "./mailer.ts";
import { openOrders } from "./orders.ts";
import type { World } from "./world.ts";

/** Everything a checkout talks to, simulated. */
export function openClients(world: World): Clients {
  return {
    gateways: { primary: openGateway(world, "gateway-primary"), fallback: openGateway(world, "gateway-fallback") },
    inventory: openInventory(world),
    orders: openOrders(world),
    mailer: openMailer(world),
  };
}
