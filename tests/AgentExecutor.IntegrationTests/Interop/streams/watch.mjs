// Watches a thread with the clients that other services use, through a proxy that cuts each one's first connection, and prints what they saw as JSON.
// node watch.mjs HTTP_URL THREAD
import { connect, createServer } from "node:net";
import { EventSource } from "eventsource";
import WebSocket from "ws";

const [httpUrl, thread] = process.argv.slice(2);
const target = new URL(httpUrl);

// Cuts its first connection once so many bytes have come from the server.
const proxy = async (most) => {
  const made = { connections: 0 };
  const server = createServer((client) => {
    let left = ++made.connections === 1 ? most : Infinity;
    const upstream = connect(target.port, target.hostname);
    const cut = () => { client.destroy(); upstream.destroy(); };
    [client, upstream].forEach((socket) => { socket.on("error", cut); socket.on("close", cut); });
    client.pipe(upstream);
    upstream.on("data", (bytes) => {
      client.write(bytes.subarray(0, Math.min(left, bytes.length)));
      left -= bytes.length;
      if (left <= 0) {
        client.end(cut);
      }
    });
    upstream.on("end", () => client.end());
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return Object.assign(made, { host: `127.0.0.1:${server.address().port}`, close: () => server.close() });
};

const types = ["on_llm_stream", "on_tool_start", "on_tool_end", "on_state_update", "on_interrupt", "on_error", "end"];

// It comes again by itself, with the number that it saw last, until there is nothing more.
const withEventSource = async () => {
  const between = await proxy(6000);
  const source = new EventSource(`http://${between.host}/threads/${thread}/events`);
  const events = [];
  types.forEach((type) => source.addEventListener(type, (event) => events.push({ id: Number(event.lastEventId), type: event.type, data: event.data })));
  const code = await new Promise((over) => source.addEventListener("error", (event) => source.readyState === EventSource.CLOSED && over(event.code ?? null)));
  between.close();
  return { events, connections: between.connections, code };
};

// It is made anew by its user, who knows the last number.
const withWs = async () => {
  const between = await proxy(6000);
  const events = [];
  const closes = [];
  do {
    const after = events.length > 0 ? `?after=${events.at(-1).id}` : "";
    const socket = new WebSocket(`ws://${between.host}/deepagents-runtime/stream/${thread}${after}`);
    socket.on("error", () => { /* its close follows */ });
    socket.on("message", (data, isBinary) => {
      const event = JSON.parse(data);
      events.push({ id: event.seq, type: event.event_type, data: isBinary ? null : data.toString() });
    });
    closes.push(await new Promise((closed) => socket.on("close", closed)));
  } while (closes.at(-1) !== 1000 && closes.length < 20);
  between.close();
  return { events, connections: between.connections, closes };
};

const [eventSource, ws] = await Promise.all([withEventSource(), withWs()]);
console.log(JSON.stringify({ eventSource, ws }));
