// Which contracts there are, in the order in which they come into being, and what each is made with.
import { readFileSync } from 'node:fs';

const zero = '0x0000000000000000000000000000000000000000';

const committed = (file) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8').trim();
export const abiOf = (name) => JSON.parse(committed(`abi/${name}.json`));
export const artefact = (name) => ({ abi: abiOf(name), bytecode: committed(`code/${name}.hex`) });

// Names stand for addresses: `deployer`, `coin`, `kai`, `stablecoin`; anything else is an address.
function resolver(deployer, addresses) {
	const names = { deployer, coin: zero, kai: addresses.Token, stablecoin: addresses.Dollar };
	return (name) => {
		const address = names[name] ?? name;
		if (!/^0x[0-9a-fA-F]{40}$/.test(address ?? '')) throw new Error(`${name}: neither an address nor a name known here`);
		return address;
	};
}

const round = (it) => ({
	coinPrice: it.coin_price, tokenPrice: it.token_price, start: it.start, end: it.end, cap: it.cap, sold: 0,
	whitelistDiscount: it.whitelist_discount, referralDiscount: it.referral_discount, whitelist: it.whitelist,
});

// Each: its name, and its constructor's arguments by the parameters and what is before it in the list.
export const contracts = [
	{ name: 'Timelock', args: (p, at) => [p.timelock.delay_s, p.timelock.proposers.map(at), p.timelock.executors.map(at)] },
	{ name: 'Dollar', only: (p) => p.stablecoin === 'demonstration', args: () => [] },
	{ name: 'Token', args: (p, at) => [p.token.supply, at(p.treasury)] },
	{ name: 'Anchor', args: () => [] },
	{
		name: 'Registry',
		args: (p, at, a) => [a.Timelock, at(p.registry.fee_token), at(p.treasury), p.registry.worker_fee, p.registry.checker_fee],
	},
	{
		name: 'Sale',
		children: ['Licence'],
		args: (p, at, a) => [
			a.Timelock, at(p.treasury), at('stablecoin'), a.Registry, p.sale.cap, p.sale.lock_s, p.sale.commission,
			p.sale.rounds.map(round),
		],
	},
	{
		name: 'Escrow',
		args: (p, at, a) => [
			a.Timelock, at(p.treasury), at(p.escrow.settler), at(p.escrow.guardian), p.escrow.exit_delay_s,
			p.escrow.maximum_fee, p.escrow.tokens.map((it) => at(it.token)), p.escrow.tokens.map((it) => it.daily_limit),
		],
	},
	{
		name: 'Distributor',
		children: ['VestedToken'],
		args: (p, at, a) => [
			a.Timelock, a.Token, at(p.distributor.publisher), at(p.distributor.guardian), p.distributor.delay_s,
		],
	},
];

export function argumentsOf(contract, parameters, deployer, addresses) {
	const known = parameters.stablecoin === 'demonstration' ? addresses : { ...addresses, Dollar: parameters.stablecoin };
	return contract.args(parameters, resolver(deployer, known), addresses);
}
