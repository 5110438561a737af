// One key's transactions on a chain.
import { createPublicClient, createWalletClient, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

const waitMs = 120_000;

export class Sender {
	constructor(rpc, key) {
		const account = privateKeyToAccount(key);
		const transport = http(rpc);
		this.address = account.address;
		// No answer is kept: what one has just done must be seen.
		this.chain = createPublicClient({ transport, pollingInterval: 200, cacheTime: 0 });
		this.wallet = createWalletClient({ account, transport, chain: null });
	}

	// Until nothing of an earlier run is under way any more; the next nonce.
	async settled() {
		const { address } = this;
		const deadline = Date.now() + waitMs;
		for (;;) {
			const mined = await this.chain.getTransactionCount({ address, blockTag: 'latest' });
			const sent = await this.chain.getTransactionCount({ address, blockTag: 'pending' });
			if (sent <= mined) return mined;
			if (Date.now() > deadline) throw new Error(`transactions of ${address} do not get into a block: look at its nonce ${mined}`);
			await new Promise((done) => setTimeout(done, 200));
		}
	}

	async mined(hash, what) {
		const receipt = await this.chain.waitForTransactionReceipt({ hash, timeout: waitMs });
		if (receipt.status !== 'success') throw new Error(`${what}: transaction ${hash} failed`);
		return receipt;
	}
}
