// A chain of one test: anvil on a free port, in memory, and proxies before it that lie.
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createPublicClient, createTestClient, createWalletClient, defineChain, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { freePort, until } from './network.js'

const contracts = join(dirname(fileURLToPath(import.meta.url)), '../../../contracts')
const peaq = defineChain({
  id: 3338, name: 'test', nativeCurrency: { name: 'PEAQ', symbol: 'PEAQ', decimals: 18 },
  rpcUrls: { default: { http: ['http://127.0.0.1:1'] } },
})
// anvil's first account: rich.
const rich = privateKeyToAccount('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80')

export const artifact = async (name) =>
  JSON.parse(await readFile(join(contracts, `out/${name}.sol/${name}.json`), 'utf8'))

export class Chain {
  // Blocks are made every second, or, with mining false, only by mine(). What is @finalAfter blocks (an even number)
  // below the head is final.
  static async start({ mining = true, finalAfter = 2 } = {}) {
    const chain = new Chain()
    chain.port = await freePort()
    chain.url = `http://127.0.0.1:${chain.port}`
    chain.child = spawn(join(contracts, 'bin/anvil'), [
      '--port', String(chain.port), '--chain-id', '3338', '--hardfork', 'london', '--silent',
      '--slots-in-an-epoch', String(finalAfter / 2), '--gas-limit', '60000000', ...(mining ? ['-b', '1'] : ['--no-mining']),
    ], { stdio: ['ignore', 'ignore', 'inherit'] })
    const transport = http(chain.url, { retryCount: 0 })
    chain.public = createPublicClient({ chain: peaq, transport, pollingInterval: 100 })
    chain.test = createTestClient({ chain: peaq, mode: 'anvil', transport })
    chain.rich = createWalletClient({ chain: peaq, transport, account: rich })
    await until('the chain', () => chain.public.getChainId().catch(() => 0), 30000)
    return chain
  }

  mine(blocks = 1) {
    return this.test.mine({ blocks })
  }

  call(method, params = []) {
    return this.public.request({ method, params })
  }

  setBalance(address, value) {
    return this.test.setBalance({ address, value })
  }

  async deploy(name, args = []) {
    const { abi, bytecode } = await artifact(name)
    const hash = await this.rich.deployContract({ abi, bytecode: bytecode.object, args })
    await this.mine()
    const { contractAddress } = await this.public.waitForTransactionReceipt({ hash })
    return { address: contractAddress, abi }
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode) return
    this.child.kill('SIGKILL')
    await once(this.child, 'close')
  }
}

// A node that asks the chain, but for what is changed: change(method, params, ask) gives the answer ({ result } or
// { error }), null to say nothing at all, or a text to say that instead of JSON; ask() has the chain's own.
export const honest = (_method, _params, ask) => ask()
export class Liar {
  static async start(chain, change = honest) {
    const liar = new Liar()
    liar.change = change
    liar.server = createServer(async (request, response) => {
      let body = ''
      for await (const part of request) body += part
      const { id, method, params } = JSON.parse(body)
      const ask = () => fetch(chain.url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
        .then((answer) => answer.json(), () => null)
      const answer = await liar.change(method, params, ask)
      if (!answer) return
      response.setHeader('content-type', 'application/json')
      response.end(typeof answer === 'string' ? answer : JSON.stringify({ ...answer, jsonrpc: '2.0', id }))
    })
    liar.server.listen(0, '127.0.0.1')
    await once(liar.server, 'listening')
    liar.url = `http://127.0.0.1:${liar.server.address().port}/`
    return liar
  }

  async stop() {
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }
}
