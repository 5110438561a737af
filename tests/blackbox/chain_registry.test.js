// Machines on the registry contract: the network shows each as the contract has it, by final blocks only, whatever
// becomes of the control plane and of the chain. On real anvil and the real contracts.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createWalletClient, http, parseEther, toHex } from 'viem'
import { Chain } from './lib/chain.js'
import { Signer, deployContracts } from './lib/deployment.js'
import { Network, Program, until } from './lib/network.js'

let dir, chain, signer, network, registry, addresses

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-chain-')
  chain = await Chain.start({ finalAfter: 4 })
  addresses = await deployContracts(chain, dir, (p) => ({ ...p, registry: { ...p.registry, fee_token: 'coin', worker_fee: '7' } }))
  signer = await Signer.start(chain, addresses, join(dir, 'signer'))
  registry = {
    address: JSON.parse(await readFile(addresses, 'utf8')).contracts.Registry.address,
    abi: JSON.parse(await readFile(new URL('../../contracts/abi/Registry.json', import.meta.url), 'utf8')),
  }
  network = await Network.start({ chain_timeout_ms: 2000 },
    ['--chain-rpc', chain.url, '--chain-addresses', addresses, '--chain-signer', signer.path])
})
after(async () => {
  await network?.stop()
  await signer?.stop()
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function person() {
  const someone = network.person()
  await someone.login()
  await chain.setBalance(someone.address, parseEther('1'))
  someone.wallet = createWalletClient({ chain: chain.public.chain, transport: http(chain.url), account: someone.account })
  const { key } = await someone.post('/v1/api-keys', { name: 'cli', permissions: ['account', 'worker.read'] }, 201)
  someone.env = { KAISAR_HOME: dir, KAISAR_URL: network.url, KAISAR_API_KEY: key }
  return someone
}

async function run(args, env = {}) {
  const program = new Program(args.join(' '), args, env)
  assert.equal((await program.ended).code, 0, program.output)
  return program.stdout.trim()
}

// A machine's folder and key; nothing runs on it.
async function worker(owner, name) {
  const { token } = await owner.post('/v1/workers/tokens', {}, 201)
  return { state: join(dir, name), address: await run(['worker', 'join', network.url, token, '--name', name, '--state', join(dir, name)]) }
}

async function checker(owner, name) {
  return { state: join(dir, name), address: await run(['checker', 'create', network.url, '--name', name, '--state', join(dir, name)], owner.env) }
}

const specification = (n) => toHex(n, { size: 32 })
const kinds = { worker: 1, checker: 2 }

async function write(sender, functionName, args, value = 0n) {
  const hash = await sender.wallet.writeContract({ ...registry, functionName, args, value })
  assert.equal((await chain.public.waitForTransactionReceipt({ hash })).status, 'success', `${functionName} failed`)
  return hash
}

// @by registers it, with the machine's consent.
async function register(kind, { state, address }, by, n, nonce = 0) {
  const consent = JSON.parse(await run([kind, 'consent', '--state', state, '--owner', by.address, '--addresses', addresses,
    '--specification', specification(n), '--nonce', String(nonce)]))
  const fee = kind === 'worker' ? 7n : 0n
  return write(by, 'register', [kinds[kind], address, consent.specification, BigInt(consent.deadline_s), consent.signature, fee], fee)
}

const ofWorker = async (owner, it) => (await owner.get(`/v1/workers/${it.address}`)).registration
const ofChecker = async (owner, it) => (await owner.get(`/v1/checkers/${it.address}`)).registration

// Until it is as @expected says; blocks follow by themselves.
async function becomes(ask, expected) {
  let last
  await until(`the registration to be ${JSON.stringify(expected)}`, async () => {
    last = await ask()
    return Object.entries(expected).every(([name, value]) => value instanceof RegExp ? value.test(last[name]) : last[name] === value)
  }, 60000).catch((error) => { throw new Error(`${error.message}, and it is ${JSON.stringify(last)}`) })
  return last
}

test('a machine is shown as the registry has it, with the remedy, once that is final', async () => {
  const owner = await person(), stranger = await person()
  const machine = await worker(owner, 'first'), node = await checker(owner, 'second'), taken = await worker(owner, 'third')
  const ask = () => ofWorker(owner, machine), askNode = () => ofChecker(owner, node)
  assert.deepEqual(await ask(), { state: 'unregistered', owner: null, specification: null, transaction: null, block: null,
    reason: 'not registered: `kaisar worker register` does it, and counts once its block is final' })
  assert.match((await askNode()).reason, /^not registered: `kaisar checker register`/)

  const transaction = await register('worker', machine, owner, 1n)
  const { blockNumber } = await chain.public.getTransactionReceipt({ hash: transaction })
  await register('checker', node, owner, 2n)
  await register('worker', taken, stranger, 3n)
  assert.deepEqual(await becomes(ask, { state: 'registered' }), { state: 'registered', reason: '', owner: owner.address,
    specification: specification(1n), transaction, block: Number(blockNumber) })
  const { number } = await chain.public.getBlock({ blockTag: 'finalized' })
  assert.ok(number >= blockNumber, 'shown before its block was final')
  await becomes(askNode, { state: 'registered', owner: owner.address, specification: specification(2n) })
  await becomes(() => ofWorker(owner, taken), { state: 'foreign', owner: stranger.address,
    reason: new RegExp(`^registered by ${stranger.address}, who is not its owner here; that wallet or the machine's key takes it out`) })

  // What people read.
  const workers = await run(['worker', 'status'], owner.env), checkers = await run(['checker', 'status'], owner.env)
  assert.match(workers, new RegExp(`NAME +ON CHAIN[^]*first +registered +${owner.address} +${transaction} +${blockNumber} `))
  assert.match(workers, new RegExp(`third +foreign +${stranger.address} .*who is not its owner here`))
  assert.match(checkers, new RegExp(`second +registered +${owner.address} `))

  await write(owner, 'setSpecification', [machine.address, specification(9n)])
  await write(stranger, 'deregister', [taken.address])
  await write(owner, 'deregister', [node.address])
  await becomes(ask, { state: 'registered', specification: specification(9n), transaction })
  await becomes(() => ofWorker(owner, taken), { state: 'unregistered' })
  await becomes(askNode, { state: 'unregistered' })
})

test('what a reorganisation drops was never registered, and a killed server takes each log once', async () => {
  const owner = await person(), stranger = await person()
  const machine = await worker(owner, 'fourth')
  const ask = () => ofWorker(owner, machine)
  const dropped = await register('worker', machine, stranger, 1n)
  await chain.call('anvil_reorg', [3, []])
  for (const one of [owner, stranger]) await chain.setBalance(one.address, parseEther('1'))
  await assert.rejects(chain.public.getTransactionReceipt({ hash: dropped }))
  await network.server.kill()
  const transaction = await register('worker', machine, owner, 2n)
  await network.startServer()
  await becomes(ask, { state: 'registered', owner: owner.address, specification: specification(2n), transaction })
  await network.server.kill()
  await write(owner, 'deregister', [machine.address])
  await register('worker', machine, stranger, 3n, 1)
  await network.startServer()
  await becomes(ask, { state: 'foreign', owner: stranger.address, specification: specification(3n) })
})
