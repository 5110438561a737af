#!/usr/bin/env node
// Writes of what forge build left in out/ what is committed: abi/NAME.json of each contract that others call, one
// entry a line, and code/NAME.hex, the creation code of each that is deployed, so that a deployment needs no compiler
// and puts on the chain what was reviewed. With --check it only says whether they are as built.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const called = [
	'Token', 'VestedToken', 'Anchor', 'Registry', 'Licence', 'Sale', 'Escrow', 'Distributor', 'Timelock', 'Factory', 'Dollar',
];
// The others are made by these.
const deployed = ['Token', 'Anchor', 'Registry', 'Sale', 'Escrow', 'Distributor', 'Timelock', 'Factory', 'Dollar'];
const check = process.argv.includes('--check');
const path = (file) => new URL(`../${file}`, import.meta.url).pathname;
const built = (name) => JSON.parse(readFileSync(path(`out/${name}.sol/${name}.json`)));

function file(name, text) {
	if (!check) {
		writeFileSync(path(name), text);
		return;
	}
	let is = '';
	try {
		is = readFileSync(path(name), 'utf8');
	} catch (error) {
		if (error.code !== 'ENOENT') throw error;
	}
	if (is === text) return;
	console.error(`contracts/${name} is not what its source says: contracts/bin/artefacts.js`);
	process.exitCode = 1;
}

for (const folder of ['abi', 'code']) mkdirSync(path(folder), { recursive: true });
for (const name of called)
	file(`abi/${name}.json`, `[\n${built(name).abi.map((entry) => JSON.stringify(entry)).join(',\n')}\n]\n`);
for (const name of deployed) file(`code/${name}.hex`, `${built(name).bytecode.object}\n`);
