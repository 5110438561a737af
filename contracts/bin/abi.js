#!/usr/bin/env node
// Writes abi/NAME.json of each contract that others call, one entry a line; with --check it only says whether they
// are as built. Creation code is in out/ after forge build.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const names = ['Token', 'VestedToken', 'Anchor', 'Registry', 'Licence', 'Sale', 'Escrow', 'Distributor', 'Timelock', 'Factory'];
const check = process.argv.includes('--check');
const path = (file) => new URL(`../${file}`, import.meta.url).pathname;

mkdirSync(path('abi'), { recursive: true });
for (const name of names) {
	const { abi } = JSON.parse(readFileSync(path(`out/${name}.sol/${name}.json`)));
	const text = `[\n${abi.map((entry) => JSON.stringify(entry)).join(',\n')}\n]\n`;
	const file = path(`abi/${name}.json`);
	if (!check) writeFileSync(file, text);
	else if (readFileSync(file, 'utf8') !== text) {
		console.error(`${file} is not what ${name}.sol says: contracts/bin/abi.js`);
		process.exitCode = 1;
	}
}
