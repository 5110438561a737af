#!/usr/bin/env node
// The compiler as forge calls it, by solc-js: --version, and --standard-json from stdin to stdout.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const solc = createRequire(import.meta.url)('solc');
const args = process.argv.slice(2);

if (args.includes('--version')) {
	process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (args.includes('--standard-json')) {
	process.stdout.write(solc.compile(readFileSync(0, 'utf8')));
} else {
	process.stderr.write('solc: only --version and --standard-json are answered\n');
	process.exitCode = 2;
}
