// The network's contracts on a chain of one test, deployed as a person does, and the process that holds the key.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEther } from 'viem'
import { Program } from './network.js'

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
