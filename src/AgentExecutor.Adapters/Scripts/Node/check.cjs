// Reads a script from standard input and checks its syntax.
const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');

const source = fs.readFileSync(0, 'utf8');
const isModule = /(^|[;}])\s*(import\s*[\w{*"']|export[\s{])/m.test(source);
const file = path.join(os.tmpdir(), isModule ? 'check.mjs' : 'check.cjs');
fs.writeFileSync(file, source);
const checked = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
process.stderr.write((checked.stderr || String(checked.error || '')).split(`file://${file}`).join('[stdin]').split(file).join('[stdin]'));
process.exit(checked.status === 0 ? 0 : 1);
