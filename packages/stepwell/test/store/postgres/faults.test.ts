/** What errors of the driver and the server mean. */
import { describe, expect, it } from "vitest";
import { ERROR_CODES, StepwellError } from "../../../src/model/errors.ts";
import {
  endsConnection,
  isRowFault,
  isTransient,
  sqlState,
  toConnectError,
  toStoreError,
} from "../../../src/store/postgres/faults.ts";

const serverError = (code: string, fields = {}): Error =>
  Object.assign(new Error("so says the server"), { code, ...fields });

describe("toStoreError", () => {
  it.each([
    ["25006", "STORE_READ_ONLY"],
    ["40001", "STORE_BUSY"],
    ["40P01", "STORE_BUSY"],
    ["42501", "STORE_RIGHTS_MISSING"],
    ["53100", "STORE_FULL"],
    ["53300", "STORE_BUSY"],
    ["55P03", "STORE_BUSY"],
    ["57014", "STORE_BUSY"],
    ["57P01", "STORE_UNREACHABLE"],
    ["57P03", "STORE_UNREACHABLE"],
    ["08006", "STORE_UNREACHABLE"],
    ["XX001", "STORE_CORRUPT"],
    ["XX002", "STORE_CORRUPT"],
    ["42P01", "STORE_FAILED"],
    ["22012", "STORE_FAILED"],
  ] as const)("says of %s: %s", (state, code) => {
    const cause = serverError(state);
    const error = toStoreError(cause, "there");
    expect(error).toMatchObject({ code, cause, details: { place: "there", sqlState: state } });
    expect(error.message).toContain("so says the server");
    expect(error.message).toContain(ERROR_CODES[code].cure);
  });

  it("leaves an error that has a code as it is", () => {
    const error = new StepwellError("STORE_BUSY", "it is busy");
    expect(toStoreError(error, "there")).toBe(error);
    expect(toConnectError(error, "there")).toBe(error);
  });
});

describe("toConnectError", () => {
  it.each([
    [serverError("28P01"), "STORE_LOGIN_REFUSED"],
    [serverError("28000"), "STORE_LOGIN_REFUSED"],
    [serverError("3D000"), "STORE_LOGIN_REFUSED"],
    [serverError("42501"), "STORE_LOGIN_REFUSED"],
    [serverError("53300"), "STORE_BUSY"],
    [serverError("57P03"), "STORE_UNREACHABLE"],
    [serverError("0A000"), "STORE_UNREACHABLE"],
    [serverError("ECONNREFUSED"), "STORE_UNREACHABLE"],
    [new Error("SASL: client password must be a string"), "STORE_LOGIN_REFUSED"],
    [new Error("timeout exceeded when trying to connect"), "STORE_BUSY"],
    [new Error("Connection terminated due to connection timeout"), "STORE_UNREACHABLE"],
    ["odd", "STORE_UNREACHABLE"],
  ])("says of %s: %s", (error, code) => {
    expect(toConnectError(error, "there").code).toBe(code);
  });
});

describe("an error of the server", () => {
  it.each(["22P05", "22021", "23502", "23514", "54000"])("%s is of one row", (state) => {
    expect(isRowFault(serverError(state))).toBe(true);
    expect(isRowFault(toStoreError(serverError(state), "there"))).toBe(true);
    expect(endsConnection(serverError(state))).toBe(false);
  });

  it.each(["40001", "40P01", "53100", "54001", "57014", "42P01", "08006", "57P01"])("%s is not", (state) => {
    expect(isRowFault(serverError(state))).toBe(false);
  });

  it.each(["08006", "08P01", "57P01", "57P02", "57P03", "58000"])("%s ends the connection", (state) => {
    expect(endsConnection(serverError(state))).toBe(true);
  });

  it("passes: a deadlock, and an item that is just being delivered", () => {
    const item = serverError("23505", { constraint: "inbox_operation" });
    expect([isTransient(serverError("40P01")), isTransient(item), isRowFault(item)]).toEqual([true, true, false]);
    expect(isTransient(serverError("23505", { constraint: "runs_pkey" }))).toBe(false);
  });

  it("is told from one of the driver, of which nothing is known", () => {
    expect([sqlState(serverError("ECONNRESET")), sqlState(new Error("no code")), sqlState(null)]).toEqual([
      null,
      null,
      null,
    ]);
    expect(endsConnection(new Error("Connection terminated unexpectedly"))).toBe(true);
    expect(isRowFault(new Error("Connection terminated unexpectedly"))).toBe(false);
  });
});
