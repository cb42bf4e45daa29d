// Reads a script, waits for a call, and runs the script. The arguments of the call are JSON on standard input.
// A script that exports a function gets them as an object, and what the function returns is the result.
const fs = require('fs');
const os = require('os');
const path = require('path');
const url = require('url');

function readBytes(length) {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    let count;
    try {
      count = fs.readSync(0, bytes, done, length - done, null);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      continue;
    }
    if (count === 0) process.exit(0);
    done += count;
  }
  return bytes;
}

function readLine() {
  const bytes = [];
  for (let byte = readBytes(1)[0]; byte !== 10; byte = readBytes(1)[0]) bytes.push(byte);
  return Buffer.from(bytes).toString();
}

const source = readBytes(Number(readLine())).toString();
const isModule = /(^|[;}])\s*(import\s*[\w{*"']|export[\s{])/m.test(source);
const exportsFunction = /\bmodule\.exports\b|\bexports\.\w|(^|[;}])\s*export[\s{]/m.test(source);
const file = path.join(os.tmpdir(), isModule ? 'script.mjs' : 'script.cjs');
fs.writeFileSync(file, source);
process.env.AGENT_EXECUTOR_IDEMPOTENCY_KEY = readLine();

function fail(error) {
  const stack = String((error && error.stack) || error);
  const at = stack.indexOf(file) < 0 ? null : /^:(\d+)/.exec(stack.slice(stack.indexOf(file) + file.length));
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  fs.writeSync(2, `${text.split(file).join('the script')}${at ? ` (line ${at[1]} of the script)` : ''}\n`);
  process.exit(1);
}

function write(text) {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function toText(value) {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(`the result is a ${typeof value}, which is not JSON`);
  return JSON.stringify(value, (key, item) => {
    if (typeof item === 'number' && !Number.isFinite(item)) throw new TypeError(`the result contains ${item}, which JSON cannot express`);
    return item;
  });
}

function functionOf(loaded) {
  if (typeof loaded === 'function') return loaded;
  const named = ['default', 'tool', 'handler', 'run', 'main'].map(name => loaded && loaded[name]);
  const found = [...named, ...Object.values(loaded || {})].find(value => typeof value === 'function');
  return found || (loaded && loaded.default && functionOf(loaded.default));
}

async function run() {
  if (exportsFunction) {
    console.log = console.info = console.debug = console.error;
    process.stdout.write = process.stderr.write.bind(process.stderr);
  }
  const loaded = isModule ? await import(url.pathToFileURL(file)) : require(file);
  if (!exportsFunction) return;
  const call = functionOf(loaded);
  if (!call) throw new TypeError('the script exports no function');
  const given = JSON.parse(fs.readFileSync(0, 'utf8') || '{}');
  write(toText(await call(given, { idempotencyKey: process.env.AGENT_EXECUTOR_IDEMPOTENCY_KEY })));
  process.exit(0);
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
run().catch(fail);
