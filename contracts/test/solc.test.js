// The compiler that forge calls says what it is, as forge asks, and refuses what it does not know.
import { test } from 'node:test';
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';

const solc = new URL('../bin/solc.js', import.meta.url).pathname;

test('the compiler is the pinned one', () => {
	const { status, stdout } = spawnSync(solc, ['--version'], { encoding: 'utf8' });
	assert.equal(status, 0);
	assert.match(stdout, /^Version: 0\.8\.30\+/m);
});

test('other requests are refused', () => {
	assert.equal(spawnSync(solc, ['--bin']).status, 2);
});
