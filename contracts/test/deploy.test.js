// The deployment on a chain of our own: whole, again without a transaction, and killed at many moments.
import { test, before, after } from 'node:test';
import assert from 'node:assert';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublicClient, erc20Abi, http, parseEther } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { abiOf } from '../deploy/contracts.js';

const here = (path) => new URL(`../${path}`, import.meta.url).pathname;
// The first keys that every anvil gives coins to.
const keys = [
	'0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
	'0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d',
];
const names = ['Anchor', 'Distributor', 'Dollar', 'Escrow', 'Licence', 'Registry', 'Sale', 'Timelock', 'Token', 'VestedToken'];
const dir = mkdtempSync(join(tmpdir(), 'kaisar-deploy-'));
let anvil, rpc, chain;

const freePort = () => new Promise((done) => {
	const server = createServer().listen(0, '127.0.0.1', () => {
		const { port } = server.address();
		server.close(() => done(port));
	});
});

before(async () => {
	const port = await freePort();
	rpc = `http://127.0.0.1:${port}`;
	anvil = spawn(here('bin/anvil'), [
		'--chain-id', '3338', '--hardfork', 'london', '-b', '1', '--gas-limit', '60000000', '--port', String(port), '--silent',
	], { stdio: 'inherit' });
	chain = createPublicClient({ transport: http(rpc, { retryCount: 0 }) });
	for (let i = 0; ; i++) {
		try {
			await chain.getChainId();
			break;
		} catch (error) {
			if (i === 300 || anvil.exitCode !== null) throw error;
			await new Promise((done) => setTimeout(done, 100));
		}
	}
});

after(() => {
	anvil?.kill();
	rmSync(dir, { recursive: true });
});

// Runs a program of contracts/ with a key; resolves to its exit status and what it said, or to 'killed'.
function run(program, args, key, killAfterMs) {
	const child = spawn(here(program), args, { env: { ...process.env, KAISAR_DEPLOYER_KEY: key } });
	let said = '';
	child.stdout.on('data', (data) => { said += data; });
	child.stderr.on('data', (data) => { said += data; });
	const timer = killAfterMs && setTimeout(() => child.kill('SIGKILL'), killAfterMs);
	return new Promise((done) => child.on('close', (status, signal) => {
		clearTimeout(timer);
		done({ status: signal === 'SIGKILL' ? 'killed' : status, said });
	}));
}

const deploy = (name, key, { killAfterMs, parameters = here('deploy/parameters.local.json') } = {}) =>
	run('deploy/deploy.js', ['--rpc', rpc, '--parameters', parameters, '--addresses', join(dir, name)], key, killAfterMs);

const addresses = (name) => JSON.parse(readFileSync(join(dir, name)));
const sentBy = (key) => chain.getTransactionCount({ address: privateKeyToAccount(key).address, blockTag: 'pending' });

async function isWhole(name) {
	const { chain_id, contracts, parameters_hash } = addresses(name);
	assert.equal(chain_id, 3338);
	assert.match(parameters_hash, /^0x[0-9a-f]{64}$/);
	assert.deepEqual(Object.keys(contracts).sort(), names);
	for (const [contract, { address, block }] of Object.entries(contracts)) {
		assert.notEqual(await chain.getCode({ address }), undefined, contract);
		assert.equal(await chain.getCode({ address, blockNumber: BigInt(block - 1) }), undefined, `${contract} is of block ${block}`);
	}
}

test('a second run sends nothing and changes nothing', async () => {
	const first = await deploy('a.json', keys[0]);
	assert.equal(first.status, 0, first.said);
	await isWhole('a.json');
	const [sent, file] = [await sentBy(keys[0]), readFileSync(join(dir, 'a.json'), 'utf8')];
	assert.equal(sent, 9);
	const second = await deploy('a.json', keys[0]);
	assert.equal(second.status, 0, second.said);
	assert.equal(await sentBy(keys[0]), sent);
	assert.equal(readFileSync(join(dir, 'a.json'), 'utf8'), file);
});

test('what the contracts know of each other is so', async () => {
	const { contracts } = addresses('a.json');
	const ask = (name, functionName) => chain.readContract({
		address: contracts[name].address, functionName,
		abi: abiOf(name),
	});
	for (const name of ['Registry', 'Sale', 'Escrow', 'Distributor'])
		assert.equal(await ask(name, 'owner'), contracts.Timelock.address);
	assert.equal(await ask('Sale', 'licence'), contracts.Licence.address);
	assert.equal(await ask('Licence', 'minter'), contracts.Sale.address);
	assert.equal(await ask('Distributor', 'vested'), contracts.VestedToken.address);
	assert.equal(await ask('Registry', 'feeToken'), contracts.Dollar.address);
	assert.equal(await ask('Licence', 'cap'), 29998n);
});

test('a demonstration is given what it needs, and not twice', async () => {
	const give = (...more) => run('deploy/demonstration.js', ['--rpc', rpc, '--addresses', join(dir, 'a.json'), ...more], keys[0]);
	const [person, network] = ['0x1111111111111111111111111111111111111111', '0x2222222222222222222222222222222222222222'];
	const { contracts } = addresses('a.json');
	const held = (token, address) => chain.readContract({
		address: contracts[token].address, abi: erc20Abi, functionName: 'balanceOf', args: [address],
	});
	for (let i = 0; i < 2; i++) {
		const it = await give('--wallet', person, '--network', network);
		assert.equal(it.status, 0, it.said);
		assert.equal(await chain.getBalance({ address: person }), parseEther('10'));
		assert.equal(await held('Token', person), parseEther('100000'));
		assert.equal(await held('Dollar', person), 10_000_000_000n);
		assert.equal(await chain.getBalance({ address: network }), parseEther('10'));
		assert.equal(await held('Token', network), 0n);
		assert.equal(await held('Token', contracts.Distributor.address), parseEther('20000000'));
	}
	const refused = await run('deploy/demonstration.js', ['--rpc', rpc], keys[0]);
	assert.equal(refused.status, 2);
});

test('killed again and again, it deploys nothing twice', async () => {
	let killed = 0, last;
	for (let ms = 600; ; ms += 350) {
		last = await deploy('b.json', keys[1], { killAfterMs: ms });
		if (last.status !== 'killed') break;
		killed++;
		assert.ok(ms < 60_000, 'it never ends');
	}
	assert.equal(last.status, 0, last.said);
	assert.ok(killed >= 3, `killed only ${killed} times`);
	await isWhole('b.json');
	const factory = addresses('b.json').factory;
	const events = await chain.getLogs({ address: factory.address, fromBlock: 0n });
	assert.equal(events.length, 8);
});

test('other parameters, another chain or a missing key are refused', async () => {
	const changed = JSON.parse(readFileSync(here('deploy/parameters.local.json')));
	changed.sale.cap = 5;
	const path = join(dir, 'changed.json');
	writeFileSync(path, JSON.stringify(changed));
	let it = await deploy('a.json', keys[0], { parameters: path });
	assert.equal(it.status, 1);
	assert.match(it.said, /another deployment \(parameters_hash/);
	changed.chain_id = 9990;
	writeFileSync(path, JSON.stringify(changed));
	it = await deploy('c.json', keys[0], { parameters: path });
	assert.match(it.said, /is chain 3338, the parameters are for 9990/);
	it = await deploy('c.json', '');
	assert.equal(it.status, 2);
});
