// Uses the generated types: appends events, lists them with a filter, walks to the end, and follows.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./openapi.js";

const { AUDIT_URL, AUDIT_KEY, AUDIT_ORGANIZATION } = process.env as Record<string, string>;
const organizationId = AUDIT_ORGANIZATION!;
const headers = { Authorization: `Bearer ${AUDIT_KEY}` };
// Without the media types, the answer of `follow` could also be the text of a stream.
type Media = "application/json" | "application/problem+json";
const client = createClient<paths, Media>({ baseUrl: AUDIT_URL!, headers });

const events = "/v1/organizations/{organizationId}/events";
const path = { organizationId };
const action = "node.invoice.paid";
const day = (number: number) => `2026-11-${String(number).padStart(2, "0")}T12:00:00Z`;

const invoice = (number: number): components["schemas"]["NewEvent"] => ({
  action,
  actor: { kind: "user", id: "u_7", email: "ana@acme.example" },
  occurredAt: day(5 + number),
  attributes: { plan: "pro" },
  metadata: { lines: [{ sku: "a", price: 1.5 }, null, true] },
  change: { diff: [{ field: "state", old: { open: [1, 2] }, new: "paid" }] },
});

const appended = await client.POST(events, { params: { path }, body: invoice(0) });
assert.equal(appended.response.status, 201);
const batch = { events: Array.from({ length: 9 }, (_, index) => invoice(index + 1)) };
const { data: receipts } = await client.POST(`${events}/batch`, { params: { path }, body: batch });
assert.equal(receipts?.receipts.length, 9);

const eventId: string = appended.data!.id;
const { data: event } = await client.GET(`${events}/{eventId}`, { params: { path: { organizationId, eventId } } });
assert.equal(event?.id satisfies string | undefined, eventId);
assert.deepEqual(event?.metadata, { lines: [{ sku: "a", price: 1.5 }, null, true] });
assert.deepEqual(event?.change?.diff?.[0]?.old, { open: [1, 2] });

// Of the ten events, six are in the range. Walks them by pages of two.
const walked: components["schemas"]["AuditEvent"][] = [];
for (let token: string | undefined; ; ) {
  const range = { since: day(7), until: day(13) };
  const query = { action: ["node.*"], attribute: ["plan=pro"], ...range, limit: 2, total: true, token };
  const { data: page, error } = await client.GET(events, { params: { path, query } });
  assert.equal(page?.total, 6, JSON.stringify(error));
  walked.push(...page.events);
  if (!page.next) break;
  token = page.next;
}
const days = walked.map((event) => event.occurredAt.slice(8, 10));
assert.deepEqual(days, ["12", "11", "10", "09", "08", "07"]);

const query = { action: [action], limit: 1000 };
const { data: feed } = await client.GET(`${events}/follow`, { params: { path, query } });
assert.equal(feed?.events.length, 10);
assert.ok(feed.caughtUp);
await client.POST(events, { params: { path }, body: invoice(10) });
const next = { action: [action], token: feed.token, wait: 5 };
const { data: more } = await client.GET(`${events}/follow`, { params: { path, query: next } });
assert.equal(more?.events.length, 1);

// The same events as a stream.
const { data: stream } = await client.GET(`${events}/follow`, {
  params: { path, query: { action: [action] } },
  headers: { Accept: "text/event-stream" },
  parseAs: "stream",
});
let text = "";
for await (const chunk of stream!) {
  text += Buffer.from(chunk).toString();
  if (text.split("event: audit-event").length > 11 && text.endsWith("\n\n")) break;
}

const { error } = await client.GET(events, { params: { path, query: { action: [""] } } });
assert.equal(error?.field, "action");

console.log("node: appended, listed, walked, followed and streamed");
