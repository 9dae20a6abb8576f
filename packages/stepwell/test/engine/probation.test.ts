/** Probation as a table: who may be in, and how long a room is cleared. The clock is a number. */
import { expect, it } from "vitest";
import type { Host } from "../../src/engine/host.ts";
import {
  CLEARING_MS_MIN,
  isClosed,
  isSuspectsTurn,
  newRoom,
  noteSuspects,
  occupy,
  PATIENCE_MS,
  roomInMs,
  tendRoom,
  vacate,
} from "../../src/engine/probation.ts";

function aRoom() {
  const scene = { nowMs: 0 };
  const host = { monotonicMs: () => scene.nowMs, random: () => 0.5 } as Host;
  return { scene, host, room: newRoom() };
}

/** A suspect has been due for so long that the room is being cleared. */
function aClearing() {
  const { scene, host, room } = aRoom();
  noteSuspects(host, room, 0);
  scene.nowMs = PATIENCE_MS;
  tendRoom(host, room);
  return { scene, host, room };
}

it("B3: a suspect waits for an empty moment first, then nothing new is taken", () => {
  const { scene, host, room } = aRoom();
  noteSuspects(host, room, 0);
  expect(roomInMs(host, room)).toBe(PATIENCE_MS);
  scene.nowMs = PATIENCE_MS - 1;
  tendRoom(host, room);
  expect(isClosed(room)).toBe(false);
  scene.nowMs = PATIENCE_MS;
  tendRoom(host, room);
  expect(isClosed(room)).toBe(true);
  expect(isSuspectsTurn(room, false)).toBe(false);
  expect(isSuspectsTurn(room, true)).toBe(true);
});

it("B3: a clearing is called off when another worker has taken the suspect", () => {
  const { host, room } = aClearing();
  noteSuspects(host, room, null);
  expect(isClosed(room)).toBe(false);
  expect(roomInMs(host, room)).toBe(null);
});

it("B4: a clearing that brings no suspect ends; the next one comes after a pause and lasts twice as long", () => {
  const { scene, host, room } = aClearing();
  scene.nowMs += CLEARING_MS_MIN;
  tendRoom(host, room);
  expect(isClosed(room)).toBe(false);
  expect(roomInMs(host, room)).toBe(3 * CLEARING_MS_MIN);
  scene.nowMs += 3 * CLEARING_MS_MIN;
  tendRoom(host, room);
  expect(isClosed(room)).toBe(true);
  expect(roomInMs(host, room)).toBe(2 * CLEARING_MS_MIN);
});

it("B4: after a clearing that brought one, the next is no longer than the first", () => {
  const { scene, host, room } = aClearing();
  occupy(host, room, 7);
  scene.nowMs += CLEARING_MS_MIN;
  expect(vacate(room, 8)).toBe(false);
  expect(vacate(room, 7)).toBe(true);
  tendRoom(host, room);
  expect(isClosed(room)).toBe(false);
  noteSuspects(host, room, 0);
  scene.nowMs += 100 * CLEARING_MS_MIN;
  tendRoom(host, room);
  expect(roomInMs(host, room)).toBe(CLEARING_MS_MIN);
});

it("B5: at an empty worker suspects and others take turns", () => {
  const { host, room } = aRoom();
  noteSuspects(host, room, 0);
  expect(isSuspectsTurn(room, true)).toBe(false);
  room.turn = "suspects";
  expect(isSuspectsTurn(room, true)).toBe(true);
  occupy(host, room, 7);
  expect(isSuspectsTurn(room, true)).toBe(false);
  expect(isClosed(room)).toBe(true);
  vacate(room, 7);
  noteSuspects(host, room, 0);
  expect(isSuspectsTurn(room, true)).toBe(false);
});
