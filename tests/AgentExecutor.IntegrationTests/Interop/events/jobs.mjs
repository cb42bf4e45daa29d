// Sends jobs as CloudEvents in every mode, with the libraries that other services use, and prints what came of them as JSON.
// node jobs.mjs NATS_URL HTTP_URL DEFINITION_FILE
import { readFileSync } from "node:fs";
import { CloudEvent, HTTP } from "cloudevents";
import { AckPolicy, connect, headers } from "nats";

const [natsUrl, httpUrl, file] = process.argv.slice(2);
const agent_definition = JSON.parse(readFileSync(file, "utf8"));
const traceparent = (n) => `00-${n.repeat(32)}-b7ad6b7169203331-01`;
const job = (id, n) => new CloudEvent({
  type: "dev.my-platform.agent.execute",
  source: "/interop",
  subject: id,
  datacontenttype: "application/json",
  traceparent: traceparent(n),
  data: { trace_id: `trace-${id}`, job_id: id, agent_definition, input_payload: { messages: [{ role: "user", content: `go, ${id}: ü €` }] } },
}); // strict: it throws where the event is not valid

const connection = await connect({ servers: natsUrl });
const jetstream = connection.jetstream();
const manager = await connection.jetstreamManager();
await manager.consumers.add("AGENT_RESULTS", { durable_name: "interop", ack_policy: AckPolicy.Explicit, filter_subject: "agent.status.*" });
const toHeaders = (from) => {
  const to = headers();
  Object.entries(from).forEach(([name, value]) => to.set(name, `${value}`));
  return to;
};

const structured = HTTP.structured(job("nats-structured", "1"));
const published = await jetstream.publish("agent.execute.interop", structured.body, { headers: toHeaders(structured.headers), msgID: "interop-1" });
const again = await jetstream.publish("agent.execute.interop", structured.body, { headers: toHeaders(structured.headers), msgID: "interop-1" });
const binary = HTTP.binary(job("nats-binary", "2"));
await jetstream.publish("agent.execute.interop", binary.body, { headers: toHeaders(binary.headers) });

const post = async (event) => {
  const answer = await fetch(httpUrl, { method: "POST", headers: event.headers, body: event.body });
  return { status: answer.status, type: answer.headers.get("content-type"), body: await answer.text() };
};
const http = [await post(HTTP.structured(job("http-structured", "3"))), await post(HTTP.binary(job("http-binary", "4")))];
const wrong = HTTP.structured(job("wrong", "5"));
http.push(await post({ ...wrong, body: wrong.body.replace('"job_id":"wrong"', '"job_id":" "') }));

const results = [];
const consumer = await jetstream.consumers.get("AGENT_RESULTS", "interop");
for await (const message of await consumer.consume({ max_messages: 10 })) {
  const event = HTTP.toEvent({ headers: { "content-type": message.headers.get("Content-Type") }, body: message.string() });
  event.validate();
  results.push({
    subject: message.subject, message_id: message.headers.get("Nats-Msg-Id"), id: event.id, type: event.type, source: event.source, job: event.subject, time: event.time,
    traceparent: event.traceparent, datacontenttype: event.datacontenttype, data: event.data,
  });
  message.ack();
  if (results.length === 4) {
    break;
  }
}
console.log(JSON.stringify({ stream: published.stream, duplicate: again.duplicate, http, results }));
await connection.drain();
