// People's own transactions, on a real chain with the real contracts: deposits and registrations are in the contracts
// afterwards, once, whatever interrupted them; what cannot be done is refused with the field and the remedy.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { getAddress, parseEther, parseUnits, toFunctionSelector, toHex } from 'viem'
import { Chain, Liar, artifact } from './lib/chain.js'
import { deployContracts } from './lib/deployment.js'
import { Network, Program, bin } from './lib/network.js'

let chain, dir, addresses, places

// Somebody with a folder and a wallet of their own, coin for gas and dollars.
class Shell {
  static async open(name, { coin = '1', dollars = '100' } = {}) {
    const shell = new Shell()
    shell.home = join(dir, name)
    shell.address = getAddress((await shell.out('wallet', 'create', '--light')).trim())
    await chain.setBalance(shell.address, parseEther(coin))
    if (dollars !== '0') await write('Dollar', 'mint', [shell.address, parseUnits(dollars, 6)])
    return shell
  }

  // Runs to the end, @url being its node of the chain; started(child) may end it before.
  run(args, { url = chain?.url, env = {}, started } = {}) {
    const child = spawn(bin, args, {
      env: {
        ...process.env, KAISAR_HOME: this.home, KAISAR_PASSWORD: 'secret', KAISAR_RPC: url, KAISAR_ADDRESSES: addresses, ...env,
      },
    })
    const result = { stdout: '', stderr: '' }
    child.stdout.on('data', (bytes) => { result.stdout += bytes })
    child.stderr.on('data', (bytes) => { result.stderr += bytes })
    started?.(child)
    child.stdin.end()
    return new Promise((resolve) => child.on('close', (code, signal) => resolve({ ...result, code, signal })))
  }

  async out(...args) {
    const result = await this.run(args)
    assert.equal(result.code, 0, `${args.join(' ')}: ${JSON.stringify(result)}`)
    return result.stdout
  }

  async json(...args) {
    return JSON.parse(await this.out(...args, '-o', 'json'))
  }

  async refused(code, words, args, options) {
    const result = await this.run(args, options)
    assert.equal(result.code, code, `${args.join(' ')}: ${JSON.stringify(result)}`)
    assert.match(result.stderr, words)
    assert.equal(result.stdout, '')
  }
}

const contract = async (name) => ({ address: places[name].address, abi: (await artifact(name)).abi })
const read = async (name, functionName, args = []) => chain.public.readContract({ ...await contract(name), functionName, args })

async function write(name, functionName, args) {
  const hash = await chain.rich.writeContract({ ...await contract(name), functionName, args })
  await chain.mine()
  assert.equal((await chain.public.waitForTransactionReceipt({ hash })).status, 'success')
}

const balance = (shell, token = 'Dollar') => read('Escrow', 'balance', [places[token].address, shell.address])
const deposited = async (shell) => (await chain.public.getContractEvents({
  ...await contract('Escrow'), eventName: 'Deposited', args: { tenant: shell.address }, fromBlock: 0n,
})).length

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kaisar-wallet-'))
  chain = await Chain.start()
  addresses = await deployContracts(chain, dir)
  // A block for each transaction, at once.
  await chain.call('evm_setAutomine', [true])
  places = JSON.parse(await readFile(addresses, 'utf8')).contracts
})

after(async () => {
  await chain?.stop()
  if (dir) await rm(dir, { recursive: true, force: true })
})

test('a deposit is in the escrow, and nothing stays allowed or kept', async () => {
  const tenant = await Shell.open('tenant')
  const done = await tenant.json('deposit', '25.5')
  assert.deepEqual({ ...done, transaction: '', block: 0 }, {
    transaction: '', block: 0, amount: '25.5', symbol: 'DUSD', token: places.Dollar.address, account: tenant.address,
  })
  const receipt = await chain.public.getTransactionReceipt({ hash: done.transaction })
  assert.equal(receipt.status, 'success')
  assert.equal(receipt.blockNumber, BigInt(done.block))
  assert.equal(await balance(tenant), 25_500_000n)
  assert.equal(await read('Dollar', 'balanceOf', [tenant.address]), 74_500_000n)
  assert.equal(await read('Dollar', 'allowance', [tenant.address, places.Escrow.address]), 0n)
  assert.deepEqual((await readdir(join(tenant.home, 'chain'))).filter((name) => name.endsWith('.json')), [])
})

test('it may be in KAI, by a token\'s address, and for somebody else', async () => {
  const payer = await Shell.open('payer'), tenant = await Shell.open('other', { coin: '0', dollars: '0' })
  await write('Token', 'transfer', [payer.address, parseEther('2')])
  // A network that publishes no price would credit nothing.
  let price = null, escrow = places.Dollar.address
  const network = createServer((_request, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ kai_price: price, escrow })))
  network.listen(0, '127.0.0.1')
  await once(network, 'listening')
  const kai = ['deposit', '--token', 'kai', '0.25', '--for', tenant.address, '--url', `http://127.0.0.1:${network.address().port}`]
  // What another network's escrow takes, this one never credits.
  const stablecoin = ['deposit', '1']
  const env = { KAISAR_URL: kai.at(-1) }
  await payer.refused(1, /the network at http:\S+ has the escrow 0x\w+, the addresses file 0x\w+: it would not credit this/, stablecoin, { env })
  escrow = null
  await payer.refused(1, /the network at http:\S+ names no escrow contract/, stablecoin, { env })
  await payer.refused(1, /cannot reach http:\/\/127\.0\.0\.1:1: /, stablecoin, { env: { KAISAR_URL: 'http://127.0.0.1:1' } })
  assert.equal(await balance(payer), 0n)
  escrow = places.Escrow.address
  await payer.refused(1, /--token: the network at http:\S+ publishes no price for KAI.*deposit the stablecoin/, kai)
  price = '0.5'
  // It does not come back, and the price is not fixed: who deposits says so.
  await payer.refused(2, /0\.25 KAI would become points .*at the price that it has when the deposit is final \(now 0\.5 for a KAI\).*say --yes/, kai)
  assert.equal(await balance(tenant, 'Token'), 0n)
  await payer.out(...kai, '--yes')
  network.closeAllConnections()
  network.close()
  await payer.out('deposit', '--token', places.Dollar.address, '3', '--for', tenant.address)
  assert.equal(await balance(tenant, 'Token'), parseEther('0.25'))
  assert.equal(await balance(tenant), 3_000_000n)
  assert.equal(await balance(payer), 0n)
})

// Interrupted at the moments that matter: before a node has the transaction, and before its receipt is seen.
for (const [when, lose] of [['has left', 'eth_sendRawTransaction'], ['is known to be in a block', 'eth_getTransactionReceipt']]) {
  test(`killed before a deposit ${when}, the same command finishes it, once`, async () => {
    const tenant = await Shell.open(`killed ${lose}`)
    let child, raws = 0 // the first is the approval
    const liar = await Liar.start(chain, (method, _params, ask) => {
      if (method === 'eth_sendRawTransaction') raws++
      if (method !== lose || raws < 2) return ask()
      child.kill('SIGKILL')
      return null
    })
    const killed = await tenant.run(['deposit', '7'], { url: liar.url, started: (it) => { child = it } })
    assert.equal(killed.signal, 'SIGKILL', JSON.stringify(killed))
    const again = await tenant.run(['deposit', '7', '-o', 'json'])
    assert.equal(again.code, 0, JSON.stringify(again))
    assert.match(again.stderr, /finishing what was interrupted: deposit of 7\.0 DUSD/)
    assert.equal(JSON.parse(again.stdout).amount, '7.0')
    assert.equal(await balance(tenant), 7_000_000n)
    assert.equal(await deposited(tenant), 1)
    await liar.stop()
  })
}

test('a deposit that cannot be is refused with its field and the remedy', async (t) => {
  const tenant = await Shell.open('refused', { dollars: '5' })
  await tenant.refused(2, /AMOUNT: '1\.0000001' is no amount above 0 of at most 6 decimals/, ['deposit', '1.0000001'])
  await tenant.refused(2, /AMOUNT: '0'/, ['deposit', '0'])
  await tenant.refused(5, /AMOUNT: 0x\w+ has 5\.0 DUSD, less than 6\.0 DUSD; send it some/, ['deposit', '6'])
  await tenant.refused(2, /--token: 'gold' is neither stablecoin nor kai nor an address/, ['deposit', '1', '--token', 'gold'])
  await tenant.refused(1, /--token: the escrow does not take vKAI/, ['deposit', '1', '--token', places.VestedToken.address])
  await tenant.refused(1, /answers nothing sensible to decimals\(\): is it the contract/, ['deposit', '1', '--token', tenant.address])
  await tenant.refused(2, /--for: 'me' is not an address/, ['deposit', '1', '--for', 'me'])
  await tenant.refused(7, /the wallet cannot be opened/, ['deposit', '1'], { env: { KAISAR_PASSWORD: 'wrong' } })
  await tenant.refused(2, /which node of the chain\? --rpc URL/, ['deposit', '1'], { env: { KAISAR_RPC: '' } })
  await tenant.refused(2, /where are the contracts\? --addresses FILE/, ['deposit', '1'], { env: { KAISAR_ADDRESSES: '' } })
  await tenant.refused(1, /does not answer at http:\/\/127\.0\.0\.1:1: .*see whether a node serves there/, ['deposit', '1'],
    { url: 'http://127.0.0.1:1' })
  await tenant.refused(1, /its gas may cost more than 0\.000000001 coin; wait, or allow more with --max-gas-cost/,
    ['deposit', '1', '--max-gas-cost', '0.000000001'])
  const poor = await Shell.open('poor', { coin: '0.00000001' })
  await poor.refused(5, /has 0\.00000001 of the coin of chain 3338, and this may take 0\.\d+; send it some/, ['deposit', '1'])
  const leaving = await Shell.open('leaving')
  await leaving.out('deposit', '1')
  await chain.test.impersonateAccount({ address: leaving.address })
  await chain.rich.writeContract({
    ...await contract('Escrow'), functionName: 'requestExit', args: [places.Dollar.address], account: leaving.address,
  })
  await chain.mine()
  await leaving.refused(1, /asked the escrow to leave/, ['deposit', '1'])
  // It asked after the command had looked: the contract's own error is said in words, too.
  const exitAt = toFunctionSelector('exitAt(address,address)')
  const late = await Liar.start(chain, (method, params, ask) => method === 'eth_call' && params[0].data.startsWith(exitAt) ? { result: toHex(0, { size: 32 }) } : ask())
  t.after(() => late.stop())
  await leaving.refused(1, /the contract refuses it: this wallet has asked to leave the escrow; take that back with `kaisar escrow stay`/, ['deposit', '1'], { url: late.url })
  assert.equal(await balance(tenant), 0n)
})

// The deployer is the settler here: what was asked to be returned is owed.
async function owedTo(name, dollars) {
  const tenant = await Shell.open(name)
  await tenant.out('deposit', '9')
  await write('Escrow', 'giveBack', [places.Dollar.address, tenant.address, parseUnits(dollars, 6)])
  return tenant
}

test('what the escrow owes is collected by its wallet, all of it, to where it says', async () => {
  const tenant = await owedTo('collector', '4.5')
  const done = await tenant.json('collect')
  assert.deepEqual({ ...done, transaction: '', block: 0 }, {
    transaction: '', block: 0, amount: '4.5', symbol: 'DUSD', token: places.Dollar.address, to: tenant.address,
  })
  assert.equal(await read('Dollar', 'balanceOf', [tenant.address]), 95_500_000n)
  await tenant.refused(3, /the escrow owes this wallet no DUSD; `kaisar balance` says what the escrow owes/, ['collect'])
  await tenant.refused(3, /the registry owes this wallet no coin/, ['collect', '--from', 'registry', '--token', 'coin'])
  await tenant.refused(2, /--from: 'bank' is neither escrow nor sale nor registry/, ['collect', '--from', 'bank'])
  await tenant.refused(2, /--to: 'me' is not an address/, ['collect', '--to', 'me'])
  await tenant.refused(2, /--to: the zero address is nobody's/, ['collect', '--to', `0x${'0'.repeat(40)}`])
  await tenant.refused(2, /--to: is the network's contract Escrow/, ['collect', '--to', places.Escrow.address])
  await tenant.refused(2, /--for: is the network's contract Token/, ['deposit', '1', '--for', places.Token.address])
  await write('Escrow', 'giveBack', [places.Dollar.address, tenant.address, 5_000_000n])
  const other = await Shell.open('receiver', { coin: '0', dollars: '0' })
  assert.equal((await tenant.json('collect', '--to', other.address)).amount, '0.5')
  assert.equal(await read('Dollar', 'balanceOf', [other.address]), 500_000n)
})

test('killed while it collects, the same command finishes it', async () => {
  const tenant = await owedTo('killed collector', '2')
  let child
  const liar = await Liar.start(chain, (method, _params, ask) => {
    if (method !== 'eth_getTransactionReceipt') return ask()
    child.kill('SIGKILL')
    return null
  })
  assert.equal((await tenant.run(['collect'], { url: liar.url, started: (it) => { child = it } })).signal, 'SIGKILL')
  const again = await tenant.run(['collect', '-o', 'json'])
  assert.equal(again.code, 0, JSON.stringify(again))
  assert.match(again.stderr, /finishing what was interrupted: collecting DUSD from the escrow/)
  assert.equal(await read('Dollar', 'balanceOf', [tenant.address]), 93_000_000n)
  await liar.stop()
})

test('a node of another chain is not believed, and one that lies about gas loses the gas', async () => {
  const tenant = await Shell.open('lied to')
  const liar = await Liar.start(chain, (method, _params, ask) => method === 'eth_chainId' ? { result: toHex(1) } : ask())
  await tenant.refused(1, /its chain id is 1, not 3338; correct its URL/, ['deposit', '1'], { url: liar.url })
  liar.change = (method, params, ask) => {
    if (method === 'eth_estimateGas') return { result: toHex(200_000) }
    // All that the wallet reads says that it may.
    return method === 'eth_call' && params[0].data.startsWith('0x70a08231') ? { result: toHex(10n ** 12n, { size: 32 }) } : ask()
  }
  await tenant.refused(1, /the contract refused transaction 0x[0-9a-f]{64} in block \d+/, ['deposit', '1000'], { url: liar.url })
  liar.change = (method, _params, ask) => method === 'eth_maxPriorityFeePerGas' ? { result: toHex(10n ** 18n) } : ask()
  await tenant.refused(1, /its gas may cost more than 1\.0 coin/, ['deposit', '1'], { url: liar.url })
  liar.change = (method, _params, ask) => method === 'eth_sendRawTransaction' ? { result: toHex(1n, { size: 32 }) } : ask()
  await tenant.refused(6, /in no block after 1 s; the same command again goes on waiting/, ['deposit', '1', '--wait', '1'],
    { url: liar.url })
  // What a node has swallowed, another takes.
  await tenant.out('deposit', '1')
  assert.equal(await balance(tenant), 1_000_000n)
  await liar.stop()
})

// ---- registrations ----

// A machine's folder, made as providers make it; nothing runs on it.
async function machine(network, name) {
  const provider = network.person()
  await provider.login()
  const { token } = await provider.post('/v1/workers/tokens', {}, 201)
  const joined = new Program('join', ['worker', 'join', network.url, token, '--state', join(dir, name)])
  assert.equal((await joined.ended).code, 0, joined.output)
  return getAddress(joined.stdout.trim())
}

test('a machine is registered with its own consent and the fee, once', async () => {
  const network = await Network.start()
  try {
    const owner = await Shell.open('owner'), state = join(dir, 'machine')
    const address = await machine(network, 'machine')
    const specification = toHex(7n, { size: 32 })
    const consents = async (name, ...more) => {
      const path = join(dir, name)
      await writeFile(path, await owner.out('worker', 'consent', '--state', state, '--specification', specification, ...more))
      return path
    }
    const consent = await consents('consent', '--owner', owner.address)
    await owner.refused(1, /--max-fee: the fee is 10\.0 DUSD, more than 9\.5/, ['worker', 'register', '--max-fee', '9.5', consent])
    const done = await owner.json('worker', 'register', consent)
    assert.equal(done.machine, address)
    assert.equal(done.fee, '10.0 DUSD')
    const registered = await read('Registry', 'machineOf', [address])
    assert.equal(registered.owner, owner.address)
    assert.equal(registered.kind, 1)
    assert.equal(registered.specification, specification)
    assert.equal(await read('Dollar', 'balanceOf', [owner.address]), 90_000_000n)
    const again = await owner.run(['worker', 'register', consent, '-o', 'json'])
    assert.equal(again.code, 0, again.stderr)
    assert.match(again.stderr, /the worker is registered already/)
    assert.equal(await read('Dollar', 'balanceOf', [owner.address]), 90_000_000n)

    // What another cannot do with it, and the owner not without a new consent.
    const thief = await Shell.open('thief')
    await thief.refused(7, /CONSENT: names another owner than this wallet; make it anew with --owner 0x/, ['worker', 'register', consent])
    await thief.refused(1, new RegExp(`is registered as a worker of ${owner.address}`),
      ['worker', 'register', await consents('thief.json', '--owner', thief.address)])
    await owner.refused(2, /CONSENT: is a worker's; `kaisar worker register` takes it/, ['checker', 'register', consent])
    await thief.refused(7, new RegExp(`is registered by ${owner.address}, who alone takes it out`), ['worker', 'deregister', address])
    await owner.refused(3, /is not registered as a checker/, ['checker', 'deregister', address])
    await owner.refused(2, /'me' is not an address; `kaisar worker status` shows yours/, ['worker', 'deregister', 'me'])
    assert.equal((await owner.json('worker', 'deregister', address)).machine, address)
    assert.equal((await read('Registry', 'machineOf', [address])).kind, 0)
    await owner.refused(3, /is not registered as a worker/, ['worker', 'deregister', address])
    await owner.refused(1, /CONSENT: nonce: must be 1 by now; make it anew with --nonce 1/, ['worker', 'register', consent])
    const forged = JSON.parse(await readFile(consent, 'utf8'))
    forged.specification = toHex(8n, { size: 32 })
    await writeFile(join(dir, 'forged'), JSON.stringify(forged))
    await owner.refused(7, /CONSENT: signature: is not the machine's; make it anew/, ['worker', 'register', join(dir, 'forged')])
    await writeFile(join(dir, 'none'), '{"machine": "x"}')
    await owner.refused(2, /none: machine: .*`kaisar worker consent` prints one/, ['worker', 'register', join(dir, 'none')])
    await owner.refused(3, /there is no worker's key in .*: --state names its folder, `kaisar worker join` makes it/,
      ['worker', 'consent', '--owner', owner.address, '--state', join(dir, 'nowhere')])
    await owner.refused(2, /whose machine\? --owner ADDRESS/, ['worker', 'consent', '--state', state])
    await owner.out('worker', 'register', await consents('anew', '--owner', owner.address, '--nonce', '1'))
    assert.equal((await read('Registry', 'machineOf', [address])).owner, owner.address)
  } finally {
    await network.stop()
  }
})

// The last: it moves the chain's clock.
test('a tenant leaves the escrow without the network: asks, takes it back, asks again and leaves', async () => {
  const tenant = await Shell.open('leaver'), other = join(dir, 'nobody')
  const [dollars, kai] = await tenant.json('escrow', 'show')
  assert.deepEqual(dollars, { token: places.Dollar.address, symbol: 'DUSD', balance: '0.0', leaves_at: null, owed: '0.0' })
  assert.equal(kai.symbol, 'KAI')
  await tenant.refused(3, /no unsettled DUSD of this wallet/, ['escrow', 'leave'])
  await tenant.out('deposit', '20')
  for (const verb of ['stay', 'exit']) await tenant.refused(3, /has not asked to leave.*kaisar escrow leave/, ['escrow', verb])
  const asked = await tenant.json('escrow', 'leave')
  const at = await read('Escrow', 'exitAt', [places.Dollar.address, tenant.address])
  assert.equal(Date.parse(asked.leaves_at), Number(at) * 1000)
  assert.equal(asked.balance, '20.0')
  await tenant.refused(1, /already and may at 2.*kaisar escrow exit.*kaisar escrow stay/, ['escrow', 'leave'])
  await tenant.refused(1, /too early: this wallet may leave with its DUSD at 2/, ['escrow', 'exit'])
  await tenant.refused(1, /asked the escrow to leave.*kaisar escrow stay/, ['deposit', '1'])
  assert.equal((await tenant.json('escrow', 'stay')).leaves_at, null)
  await tenant.out('escrow', 'leave')
  await chain.call('evm_increaseTime', [8 * 86400])
  await chain.mine()
  const left = await tenant.json('escrow', 'exit')
  assert.deepEqual([left.balance, left.leaves_at, left.owed], ['0.0', null, '20.0'])
  // Anybody may look, without a wallet or a password; and what is collected is in the wallet.
  await tenant.out('collect')
  const look = (args) => tenant.run([...args, '--wallet', tenant.address, '-o', 'json'], { env: { KAISAR_HOME: other, KAISAR_PASSWORD: '' } })
  const shown = await look(['escrow', 'show']), has = await look(['wallet', 'balance'])
  assert.equal(JSON.parse(shown.stdout)[0].owed, '0.0')
  const amounts = Object.fromEntries(JSON.parse(has.stdout).map((item) => [item.symbol, item.amount]))
  assert.equal(amounts.DUSD, '100.0')
  assert.equal(amounts.KAI, '0.0')
  assert.match(amounts.coin, /^0\.9/)
  const lost = await tenant.run(['wallet', 'balance'], { env: { KAISAR_HOME: other } })
  assert.equal(lost.code, 3)
  assert.match(lost.stderr, /no wallet yet.*--wallet/)
})
