// A network whose tenants deposit in the escrow contract, on a chain of its own, with a signer that may move what they
// deposit: what tests of money share.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createWalletClient, http, parseEther } from 'viem'
import { Chain } from './chain.js'
import { Signer, deployContracts } from './deployment.js'
import { Network } from './network.js'

const abiOf = async (name) => JSON.parse(await readFile(new URL(`../../../contracts/abi/${name}.json`, import.meta.url), 'utf8'))
const all = 2n ** 256n - 1n

export class Escrow {
  // @finalAfter: the chain's; @terms: of the deployment's parameters for the contract; @settings and @options: the server's.
  static async start({ finalAfter, terms = () => ({}), settings = {}, options = [] }) {
    const it = new Escrow()
    try {
      it.dir = await mkdtemp('/tmp/kaisar-chain-')
      it.chain = await Chain.start({ finalAfter })
      it.signer = await Signer.create(join(it.dir, 'signer'))
      it.addresses = await deployContracts(it.chain, it.dir, (p) => ({
        ...p, escrow: { ...p.escrow, settler: it.signer.address, ...terms(p.escrow) },
      }))
      await it.#meet()
      it.network = await Network.start({ chain_again_ms: 2000, chain_refuse_ms: 2000, chain_timeout_ms: 2000, ...settings },
        ['--chain-rpc', it.chain.url, '--chain-addresses', it.addresses, '--chain-signer', it.signer.path, ...options])
      await it.network.operator.login()
      return it
    } catch (problem) {
      await it.stop()
      throw problem
    }
  }

  async #meet() {
    await this.signer.serve(this.chain, this.addresses, ({ Escrow, Dollar, Token }, usual) => {
      const tokens = [Dollar, Token].map(({ address }) => ({ token: address, units_per_day: `1${'0'.repeat(24)}` }))
      const money = { contract: Escrow.address, ...usual, max_gas: 5000000, tokens }
      return { return: money, settle: money }
    })
    const { contracts } = JSON.parse(await readFile(this.addresses, 'utf8'))
    this.contract = { address: contracts.Escrow.address, abi: await abiOf('Escrow') }
    this.kai = { address: contracts.Token.address, abi: await abiOf('Token') }
    this.dollar = {
      address: contracts.Dollar.address,
      abi: [...this.kai.abi, { type: 'function', name: 'mint', stateMutability: 'nonpayable', outputs: [],
        inputs: [{ name: 'account', type: 'address' }, { name: 'amount', type: 'uint256' }] }],
    }
    this.treasury = await this.read('treasury', [])
  }

  async stop() {
    await this.network?.stop()
    await this.signer?.stop()
    await this.chain?.stop()
    await rm(this.dir, { recursive: true, force: true })
  }

  read = (functionName, args, contract = this.contract) => this.chain.public.readContract({ ...contract, functionName, args })

  write = async (wallet, contract, functionName, args) => {
    const hash = await wallet.writeContract({ ...contract, functionName, args })
    await this.mined(hash, functionName)
    return hash
  }

  mined = async (hash, what) => {
    const { status } = await this.chain.public.waitForTransactionReceipt({ hash })
    assert.equal(status, 'success', `${what} failed`)
  }

  // Somebody with coins for fees, so much of each token, and the contract may take it.
  person = async ({ dollars = 10n ** 15n, tokens = 0n } = {}) => {
    const person = this.network.person()
    await person.login()
    await this.chain.setBalance(person.address, parseEther('10'))
    person.wallet = createWalletClient({ chain: this.chain.public.chain, transport: http(this.chain.url), account: person.account })
    for (const [token, units, functionName] of [[this.dollar, dollars, 'mint'], [this.kai, tokens, 'transfer']]) {
      if (!units) continue
      await this.write(this.chain.rich, token, functionName, [person.address, units])
      await this.write(person.wallet, token, 'approve', [this.contract.address, all])
    }
    return person
  }

  deposit = (who, units, token = this.dollar) => this.write(who.wallet, this.contract, 'deposit', [token.address, who.address, units])

  // The network's own.
  fund = async (units) => {
    await this.write(this.chain.rich, this.dollar, 'mint', [this.chain.rich.account.address, units])
    await this.write(this.chain.rich, this.dollar, 'approve', [this.contract.address, units])
    await this.write(this.chain.rich, this.contract, 'deposit', [this.dollar.address, this.treasury, units])
  }

  // A call of the contract as somebody whose key is not known, in a block of its own.
  callAs = async (address, data, what) => {
    await this.chain.call('anvil_impersonateAccount', [address])
    const hash = await this.chain.call('eth_sendTransaction', [{ from: address, to: this.contract.address, data }])
    await this.chain.call('anvil_stopImpersonatingAccount', [address])
    await this.chain.mine(1)
    await this.mined(hash, what)
  }

  // What keeps providers from being paid, as operators see it.
  problem = async () => (await this.network.operator.get('/v1/admin/chain')).settlement.problem
}
