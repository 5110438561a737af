// The network's contracts on a chain of one test, deployed as a person does, and the process that holds the key.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createWalletClient, http, parseEther } from 'viem'
import { Program, until } from './network.js'

const deploy = join(dirname(fileURLToPath(import.meta.url)), '../../../contracts/deploy')
const deployer = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'

// Gives the addresses file's path.
export async function deployContracts(chain, dir, change = (parameters) => parameters) {
  const parameters = join(dir, 'parameters.json'), addresses = join(dir, 'addresses.json')
  await writeFile(parameters, JSON.stringify(change(JSON.parse(await readFile(join(deploy, 'parameters.local.json'), 'utf8')))))
  await chain.call('evm_setAutomine', [true])
  const child = spawn(join(deploy, 'deploy.js'), ['--rpc', chain.url, '--parameters', parameters, '--addresses', addresses],
    { env: { ...process.env, KAISAR_DEPLOYER_KEY: deployer }, stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`deploy.js ended with ${code}`)
  await chain.call('evm_setIntervalMining', [1])
  await chain.mine(4) // so that no reorganisation of a test takes the contracts back
  return addresses
}

// `kaisar signer run` with a key of its own that has coins, and a policy that lets it anchor.
export class Signer {
  // @socket: where it listens, if not in its folder.
  static async start(chain, addresses, dir, socket = join(dir, 'socket')) {
    const signer = await Signer.create(dir, socket)
    await signer.serve(chain, addresses)
    return signer
  }

  // A key, whose address a deployment may name.
  static async create(dir, socket = join(dir, 'socket')) {
    const signer = new Signer()
    signer.dir = dir
    signer.path = socket
    await mkdir(dir)
    await writeFile(join(dir, 'password'), 'a password\n')
    const made = new Program('signer create', ['signer', 'create', '--light', ...signer.state])
    if ((await made.ended).code !== 0) throw new Error(made.output)
    signer.address = made.stdout.trim()
    return signer
  }

  // @kinds: what it may sign besides, of the contracts in the addresses file.
  async serve(chain, addresses, kinds = () => ({})) {
    await chain.setBalance(this.address, parseEther('10'))
    const { chain_id, contracts } = JSON.parse(await readFile(addresses, 'utf8'))
    const usual = { max_gas: 200000, max_fee_wei: 10 ** 12, calls_per_day: 100000 }
    await writeFile(join(this.dir, 'policy.json'), JSON.stringify({
      chain_id, kinds: { anchor: { contract: contracts.Anchor.address, ...usual }, ...kinds(contracts, usual) },
    }))
    await this.run()
  }

  get state() {
    return ['--state', this.dir, '--password-file', join(this.dir, 'password')]
  }

  async run() {
    this.program = new Program('signer', ['signer', 'run', '--socket', this.path, ...this.state])
    await this.program.says('signer.started')
  }

  stop() {
    return this.program.stop()
  }
}

// Stands before a control plane and changes what it says: change(url, json) gives what it says instead.
export async function lyingNetwork(network, change) {
  const server = createServer(async (request, response) => {
    const answer = await fetch(network.url + request.url)
    const json = change(request.url, await answer.json())
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(json))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => { server.closeAllConnections(); server.close() } }
}

// For Network.licensing: registers a checker of @owner's on the chain, and has licences bought by somebody rich, delegated
// and accepted, or taken back, until so many are its; waits until they count.
export async function licensing(chain, addresses) {
  const { contracts } = JSON.parse(await readFile(addresses, 'utf8'))
  const at = async (name) => ({
    address: contracts[name].address, abi: JSON.parse(await readFile(join(deploy, `../abi/${name}.json`), 'utf8')),
  })
  const registry = await at('Registry'), sale = await at('Sale'), licence = await at('Licence')
  const read = (contract, functionName, args = []) => chain.public.readContract({ ...contract, functionName, args })
  const write = async (wallet, contract, functionName, args, value) => {
    const hash = await wallet.writeContract({ ...contract, functionName, args, value })
    const { status } = await chain.public.waitForTransactionReceipt({ hash })
    if (status !== 'success') throw new Error(`${functionName} failed`)
  }
  const buy = async (quantity) => {
    const zero = `0x${'0'.repeat(40)}`, key = `0x${randomBytes(32).toString('hex')}`
    const { coinPrice } = await read(sale, 'roundOf', [0n])
    const order = { key, round: 0n, quantity, token: zero, maximumPrice: coinPrice, referrer: zero, whitelistProof: [] }
    const last = await read(licence, 'minted')
    await write(chain.rich, sale, 'buy', [order], coinPrice * BigInt(quantity))
    return Array.from({ length: quantity }, (_, i) => last + 1n + BigInt(i))
  }
  const given = new Map()
  return async ({ owner, address, dir }, quantity) => {
    const wallet = createWalletClient({ chain: chain.public.chain, transport: http(chain.url), account: owner.account })
    await chain.setBalance(owner.address, parseEther('1'))
    if (!BigInt(await read(registry, 'operatorOf', [address]))) {
      const made = new Program('checker consent', ['checker', 'consent', '--state', dir, '--owner', owner.address, '--addresses', addresses])
      if ((await made.ended).code !== 0) throw new Error(made.output)
      const consent = JSON.parse(made.stdout)
      await write(wallet, registry, 'register',
        [2, consent.machine, consent.specification, BigInt(consent.deadline_s), consent.signature, 0n])
    }
    const ids = given.get(address) ?? []
    given.set(address, ids)
    while (ids.length > quantity) await write(chain.rich, licence, 'undelegate', [ids.pop()])
    for (const id of ids.length < quantity ? await buy(quantity - ids.length) : []) {
      await write(chain.rich, licence, 'delegate', [id, address])
      await write(wallet, licence, 'accept', [id, address])
      ids.push(id)
    }
    await until('the licences to count', async () => (await owner.get(`/v1/checkers/${address}`)).licences === quantity, 60000)
  }
}
