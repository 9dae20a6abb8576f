/**
 * Mailer: the simulated mail service.
 */
import { createHash } from "node:crypto";
import type { Answer, Mailer, MailerCode } from "../clients.ts";
import { performCall, refuse, type World } from "./world.ts";

/** A mail service on the world's file. */
export function openMailer(world: World): Mailer {
  return {
    send: (request, options) => {
      const call = { service: "mailer", operation: "send", stored: true, request, options } as const;
      return performCall(world, call, () => send(world, request.to, options.idempotencyKey));
    },
  };
}

/** The mail service knows its own dead mailboxes: addresses of nobody@. */
function send(world: World, to: string, key: string): Answer<{ message_id: string; sent_at_ms: number }, MailerCode> {
  if (!to.includes("@") || to.startsWith("nobody@")) return refuse("invalid_address", `no mailbox ${to}`);
  const hash = createHash("sha256").update(key).digest("hex").slice(0, 12);
  return { ok: true, value: { message_id: `msg_${hash}`, sent_at_ms: world.nowMs() } };
}
