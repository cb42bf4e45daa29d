// Reads a thread's channel and stream with the client that other services use, while a job runs, and prints what it saw as JSON.
// node redis.mjs REDIS_URL HTTP_URL THREAD JOB_FILE
import { readFile } from "node:fs/promises";
import { createClient } from "redis";

const [redisUrl, httpUrl, thread, jobFile] = process.argv.slice(2);
const [reader, subscriber] = await Promise.all([redisUrl, redisUrl].map((url) => createClient({ url }).on("error", (error) => console.error(`${error}`)).connect()));
const entries = async (from) => (await reader.xRange(`langgraph:events:${thread}`, from, "+")).map(({ id, message }) => ({ id, ...message }));

const messages = [];
let during;
const ended = new Promise((end) => {
  subscriber.subscribe(`langgraph:stream:${thread}`, (message) => {
    messages.push(message);
    const { event_type: type } = JSON.parse(message);
    if (type === "on_tool_start") {
      during ??= entries("-");
    } else if (type === "end") {
      end();
    }
  }).then(async () => fetch(new URL("/deepagents-runtime/invoke", httpUrl), { method: "POST", headers: { "content-type": "application/json" }, body: await readFile(jobFile) }));
});
await ended;
console.log(JSON.stringify({ messages, during: await during, after: await entries("-"), fromTen: await entries("10-0") }));
[reader, subscriber].forEach((client) => client.destroy());
