#!/usr/bin/env node
// Puts the contracts on a chain, each once, and writes where they are:
//
//	deploy.js --rpc URL --parameters FILE --addresses FILE     the deployer's key in KAISAR_DEPLOYER_KEY
//
// It may be stopped at any moment and run again. A contract's address follows from its code and arguments (CREATE2
// by a factory), so whatever has code there is what is wanted; the factory's follows from the deployer and a nonce
// that is written to the addresses file before it is used.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { encodeDeployData, getContractAddress, keccak256, parseAbi, toHex } from 'viem';
import { argumentsOf, artefact, contracts } from './contracts.js';
import { Sender } from './sender.js';

const factoryAbi = parseAbi([
	'event Deployed(address indexed at, bytes32 indexed codeHash)',
	'function deploy(bytes code) returns (address at)',
]);
const salt = toHex(0, { size: 32 });
// Nodes refuse to look through more at once.
const blocksAtOnce = 10_000n;

function sync(path, flags, text) {
	const file = openSync(path, flags);
	try {
		if (text !== undefined) writeSync(file, text);
		fsyncSync(file);
	} finally {
		closeSync(file);
	}
}

// The file is whole at any moment, and durable when this returns.
function save(path, state) {
	sync(`${path}.new`, 'w', JSON.stringify(state, null, '\t') + '\n');
	renameSync(`${path}.new`, path);
	sync(dirname(path), 'r');
}

function load(path, parameters, chainId, deployer) {
	const hash = keccak256(toHex(JSON.stringify(parameters)));
	if (!existsSync(path)) return { chain_id: chainId, deployer, parameters_hash: hash, factory: null, contracts: {} };
	const state = JSON.parse(readFileSync(path));
	for (const [key, value] of Object.entries({ chain_id: chainId, deployer, parameters_hash: hash })) {
		if (state[key] !== value)
			throw new Error(`${path} is of another deployment (${key} ${state[key]}, now ${value}): name another file`);
	}
	return state;
}

class Deployment {
	constructor(options, parameters) {
		this.options = options;
		this.parameters = parameters;
		this.sender = new Sender(options.rpc, options.key);
		this.chain = this.sender.chain;
	}

	async run() {
		const chainId = await this.chain.getChainId();
		if (chainId !== this.parameters.chain_id)
			throw new Error(`${this.options.rpc} is chain ${chainId}, the parameters are for ${this.parameters.chain_id}`);
		this.state = load(this.options.addresses, this.parameters, chainId, this.sender.address);
		await this.sender.settled();
		await this.factory();
		for (const contract of contracts) {
			if (!contract.only || contract.only(this.parameters)) await this.deploy(contract);
		}
		save(this.options.addresses, this.state);
	}

	async hasCode(address) {
		return ((await this.chain.getCode({ address })) ?? '0x') !== '0x';
	}

	async factory() {
		if (this.state.factory && (await this.hasCode(this.state.factory.address))) return;
		const nonce = await this.sender.settled();
		const from = Number(await this.chain.getBlockNumber());
		this.state.factory = { address: getContractAddress({ from: this.sender.address, nonce: BigInt(nonce) }), block: from };
		this.state.contracts = {};
		save(this.options.addresses, this.state);
		const { abi, bytecode } = artefact('Factory');
		await this.sender.mined(await this.sender.wallet.deployContract({ abi, bytecode, nonce }), 'Factory');
		console.log(`Factory ${this.state.factory.address}`);
	}

	async deploy(contract) {
		const known = Object.fromEntries(Object.entries(this.state.contracts).map(([name, it]) => [name, it.address]));
		const args = argumentsOf(contract, this.parameters, this.sender.address, known);
		const code = encodeDeployData({ ...artefact(contract.name), args });
		const address = getContractAddress({
			opcode: 'CREATE2', from: this.state.factory.address, salt, bytecode: code,
		});
		if (!(await this.hasCode(address))) await this.create(contract.name, code);
		if (this.state.contracts[contract.name]?.address === address) return;
		const block = await this.blockOf(address);
		this.state.contracts[contract.name] = { address, block };
		(contract.children ?? []).forEach((name, i) => {
			this.state.contracts[name] = { address: getContractAddress({ from: address, nonce: BigInt(i + 1) }), block };
		});
		save(this.options.addresses, this.state);
		console.log(`${contract.name} ${address}`);
	}

	async create(name, code) {
		const hash = await this.sender.wallet.writeContract({
			address: this.state.factory.address, abi: factoryAbi, functionName: 'deploy', args: [code],
		});
		await this.sender.mined(hash, name);
	}

	// Whichever run made it, its event says in which block.
	async blockOf(address) {
		const latest = await this.chain.getBlockNumber();
		for (let from = BigInt(this.state.factory.block); from <= latest; from += blocksAtOnce) {
			const [log] = await this.chain.getContractEvents({
				address: this.state.factory.address, abi: factoryAbi, eventName: 'Deployed', args: { at: address },
				fromBlock: from, toBlock: from + blocksAtOnce - 1n < latest ? from + blocksAtOnce - 1n : latest,
			});
			if (log) return Number(log.blockNumber);
		}
		throw new Error(`${address} has code, but its factory did not say so: is the node behind?`);
	}
}

const { values } = parseArgs({
	options: { rpc: { type: 'string' }, parameters: { type: 'string' }, addresses: { type: 'string' } },
});
const key = process.env.KAISAR_DEPLOYER_KEY;
if (!values.rpc || !values.parameters || !values.addresses || !/^0x[0-9a-f]{64}$/i.test(key ?? '')) {
	console.error('deploy: --rpc URL --parameters FILE --addresses FILE, and KAISAR_DEPLOYER_KEY=0x...');
	process.exit(2);
}
try {
	await new Deployment({ ...values, key }, JSON.parse(readFileSync(values.parameters))).run();
} catch (error) {
	console.error(`deploy: ${error.shortMessage ?? error.message}`);
	process.exit(1);
}
