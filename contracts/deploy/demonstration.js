#!/usr/bin/env node
// Gives a demonstration what it needs on a chain of one's own: coin, KAI and the demonstration's stablecoin to
// wallets, coin alone to the network's key, and KAI to the distributor, so that epochs can be paid.
//
//	demonstration.js --rpc URL --addresses FILE --wallet ADDRESS... [--network ADDRESS...]
//
// The deployer's key, the treasury's as well, is in KAISAR_DEPLOYER_KEY. What somebody still has enough of is not given again.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { erc20Abi, parseEther, parseUnits } from 'viem';
import { abiOf } from './contracts.js';
import { Sender } from './sender.js';

const gifts = { coin: parseEther('10'), Token: parseEther('100000'), Dollar: parseUnits('10000', 6) };
const pot = parseEther('10000000');
const kinds = [0, 1];

class Demonstration {
	constructor(options, places) {
		this.options = options;
		this.places = places;
		this.sender = new Sender(options.rpc, options.key);
	}

	at(name) {
		return { address: this.places[name].address, abi: abiOf(name) };
	}

	// The nonces are counted here, so that one block takes them all.
	async call(name, functionName, args) {
		const hash = await this.sender.wallet.writeContract({ ...this.at(name), functionName, args, nonce: this.nonce++ });
		this.sent.push([hash, `${name}.${functionName}`]);
	}

	async held(what, address) {
		if (what === 'coin') return this.sender.chain.getBalance({ address });
		return this.sender.chain.readContract({ ...this.at(what), abi: erc20Abi, functionName: 'balanceOf', args: [address] });
	}

	async give(what, to) {
		const held = await this.held(what, to);
		const missing = gifts[what] - held;
		if (held * 2n > gifts[what]) return;
		if (what === 'coin') {
			const hash = await this.sender.wallet.sendTransaction({ to, value: missing, nonce: this.nonce++ });
			this.sent.push([hash, `coin for ${to}`]);
		} else if (what === 'Token') await this.call('Token', 'transfer', [to, missing]);
		else await this.call('Dollar', 'mint', [to, missing]);
	}

	// What is to be added to a pot beside what its root promises.
	async missing(kind) {
		const { funded, active, pending } = await this.sender.chain.readContract({
			...this.at('Distributor'), functionName: 'potOf', args: [kind],
		});
		const free = funded - (pending.effectiveAt ? pending.total : active.total);
		return free * 2n > pot ? 0n : pot - free;
	}

	async fund() {
		const missing = await Promise.all(kinds.map((kind) => this.missing(kind)));
		const sum = missing.reduce((a, b) => a + b);
		if (!sum) return;
		await this.call('Token', 'approve', [this.places.Distributor.address, sum]);
		await this.finished();
		for (const kind of kinds) {
			if (missing[kind]) await this.call('Distributor', 'fund', [kind, missing[kind]]);
		}
	}

	async finished() {
		for (const [hash, what] of this.sent.splice(0)) await this.sender.mined(hash, what);
	}

	async run() {
		this.sent = [];
		this.nonce = await this.sender.settled();
		for (const to of this.options.wallet ?? []) {
			for (const what of Object.keys(gifts)) await this.give(what, to);
		}
		for (const to of this.options.network ?? []) await this.give('coin', to);
		await this.fund();
		await this.finished();
	}
}

const { values } = parseArgs({
	options: {
		rpc: { type: 'string' }, addresses: { type: 'string' },
		wallet: { type: 'string', multiple: true }, network: { type: 'string', multiple: true },
	},
});
const key = process.env.KAISAR_DEPLOYER_KEY;
if (!values.rpc || !values.addresses || !/^0x[0-9a-f]{64}$/i.test(key ?? '')) {
	console.error('demonstration: --rpc URL --addresses FILE --wallet ADDRESS..., and KAISAR_DEPLOYER_KEY=0x...');
	process.exit(2);
}
try {
	await new Demonstration({ ...values, key }, JSON.parse(readFileSync(values.addresses)).contracts).run();
} catch (error) {
	console.error(`demonstration: ${error.shortMessage ?? error.message}`);
	process.exit(1);
}
