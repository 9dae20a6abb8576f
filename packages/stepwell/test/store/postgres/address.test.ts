/** The URL of a PostgreSQL store, part by part. */
import pg from "pg";
import { describe, expect, it } from "vitest";
import { type Address, parseAddress } from "../../../src/store/postgres/address.ts";
import { toLink } from "../../../src/store/postgres/connect.ts";

const PLAIN = "postgres://kim:s3cret@db.example:5433/shop";

describe("parseAddress", () => {
  it("has defaults, and leaves the rest to the driver", () => {
    expect(parseAddress(`${PLAIN}?sslmode=disable`)).toEqual({
      schema: "stepwell",
      prepare: true,
      listen: true,
      applicationName: "stepwell",
      settings: "",
      connectMsMax: 5_000,
      bindsChannel: false,
      url: `${PLAIN}?sslmode=disable&uselibpqcompat=true`,
    });
  });

  it.each<[query: string, expected: Partial<Address>]>([
    ["schema=Billing", { schema: "Billing", url: PLAIN }],
    ["prepare=false&listen=false", { prepare: false, listen: false, url: PLAIN }],
    ["application_name=shop&options=-c%20work_mem%3D8MB", { applicationName: "shop", settings: "-c work_mem=8MB" }],
    ["connect_timeout=30&channel_binding=require", { connectMsMax: 30_000, bindsChannel: true, url: PLAIN }],
    ["host=%2Frun%2Fpostgresql", { url: `${PLAIN}?host=%2Frun%2Fpostgresql` }],
    ["sslmode=no-verify", { url: `${PLAIN}?sslmode=no-verify` }],
    ["sslmode=require&uselibpqcompat=false", { url: `${PLAIN}?sslmode=require&uselibpqcompat=false` }],
  ])("reads %s", (query, expected) => {
    expect(parseAddress(`${PLAIN}?${query}`)).toMatchObject(expected);
    expect(parseAddress(`${PLAIN}?${query}`.replace("postgres:", "postgresql:")).schema).toBe(
      expected.schema ?? "stepwell",
    );
  });

  it.each([
    ["postgres://kim@/shop?host=%2Frun%2Fpostgresql", "PostgreSQL at /run/postgresql:5432/shop"],
    ["postgres://kim@%2Frun%2Fpostgresql/shop", "PostgreSQL at /run/postgresql:5432/shop"],
    ["postgres://kim@/shop", "PostgreSQL at localhost:5432/shop"],
    ["postgres:///shop?host=%2Frun", "PostgreSQL at /run:5432/shop"],
    ["postgres://kim:s3cret@[::1]:5433/shop", "PostgreSQL at ::1:5433/shop"],
    ["postgres://kim:s3cret@db.example/a%20b?sslmode=verify-full", "PostgreSQL at db.example:5432/a b"],
  ])("%s leads to %s", (url, place) => {
    expect(toLink(pg, url).place).toBe(place);
  });

  it("an @ in the query is no host's", () => {
    expect(parseAddress("postgres://kim@db.example/shop?application_name=a@/b").applicationName).toBe("a@/b");
  });

  it("a file of a certificate that does not exist is told without the URL", () => {
    const url = `${PLAIN}?sslmode=verify-full&sslrootcert=%2Fnowhere.pem`;
    expect(() => toLink(pg, url)).toThrow("the URL of a PostgreSQL store: a file that it names does not exist");
  });

  it.each([
    ["postgres://kim:s3cret/x@host/db", 'write "%23" for "#", "%2F" for "/"'],
    ["postgres://kim:s3cret@host/db#x", "it cannot be read"],
    ["postgres://kim:s3cret@a,b/db", "several hosts"],
    ["postgres://kim:s3cret@host", "it names no database"],
    ["postgres://kim:s3cret@host/", "it names no database"],
    [`${PLAIN}?shema=x`, 'there is no "shema"; did you mean "schema"?'],
    [`${PLAIN}?connection_limit=5`, 'there is no "connection_limit"; known are schema, prepare, listen'],
    [`${PLAIN}?schema=`, "1 to 48 bytes"],
    [`${PLAIN}?schema=${"ä".repeat(25)}`, "1 to 48 bytes"],
    [`${PLAIN}?schema=pg_own`, "does not begin with pg_"],
    [`${PLAIN}?prepare=no`, 'prepare is true or false, not "no"'],
    [`${PLAIN}?connect_timeout=0`, "connect_timeout is a number of seconds from 1 to 600"],
    [`${PLAIN}?sslmode=on`, "sslmode is disable or prefer"],
    [`${PLAIN}?sslmode=verify-ca`, "sslmode=verify-ca needs sslrootcert"],
  ])("refuses %s", (url, why) => {
    const refused = (): Address => parseAddress(url);
    expect(refused).toThrow(why);
    expect(refused).toThrow("STORE_URL_INVALID: the URL of a PostgreSQL store: ");
    expect(refused).not.toThrow("s3cret");
  });
});
