// Licences, from the sale to the tasks: bought, delegated, accepted and taken back by people's own commands, and what the
// network makes of it, by final blocks only, whatever becomes of it and of the chain. On real anvil and the real contracts.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { concat, encodeAbiParameters, encodeFunctionData, getAddress, keccak256, parseEther, parseUnits } from 'viem'
import { Chain, artifact } from './lib/chain.js'
import { Signer, deployContracts } from './lib/deployment.js'
import { Network, Program, until } from './lib/network.js'

const lockS = 20
let dir, chain, signer, network, addresses, places, holder, operator, checker

// Somebody with a wallet, coin and dollars, signed in.
class Shell {
  static async open(name) {
    const shell = new Shell()
    shell.home = join(dir, name)
    shell.address = getAddress((await shell.out('wallet', 'create', '--light')).trim())
    await chain.setBalance(shell.address, parseEther('10'))
    await shell.out('login')
    return shell
  }

  async run(...args) {
    const program = new Program(args.join(' '), args, {
      KAISAR_HOME: this.home, KAISAR_PASSWORD: 'secret', KAISAR_URL: network.url, KAISAR_RPC: chain.url, KAISAR_ADDRESSES: addresses,
    })
    const { code } = await program.ended
    return { code, stdout: program.stdout, output: program.output }
  }

  async out(...args) {
    const { code, stdout, output } = await this.run(...args)
    assert.equal(code, 0, `${args.join(' ')}: ${output}`)
    return stdout
  }

  async json(...args) {
    return JSON.parse(await this.out(...args, '-o', 'json'))
  }

  async refused(code, words, ...args) {
    const result = await this.run(...args)
    assert.equal(result.code, code, `${args.join(' ')}: ${result.output}`)
    assert.match(result.output, words)
    assert.equal(result.stdout, '')
  }

  async licence(id) {
    return (await this.json('licence', 'list')).find((it) => it.licence === id)
  }

  // The checker's row once @holds is true of it.
  async becomes(what, holds) {
    let last
    return until(what, async () => {
      last = await this.json('checker', 'status', checker)
      return holds(last) && last
    }, 60000).catch((error) => { throw new Error(`${error.message}: ${JSON.stringify(last)}`) })
  }
}

const at = async (name) => ({ address: places[name].address, abi: (await artifact(name)).abi })
const read = async (name, functionName, args = []) => chain.public.readContract({ ...await at(name), functionName, args })
async function write(name, functionName, args, account) {
  const hash = await chain.rich.writeContract({ ...await at(name), functionName, args, ...(account && { account }) })
  assert.equal((await chain.public.waitForTransactionReceipt({ hash })).status, 'success', functionName)
}

// As the sale's owner, who is the timelock.
async function setRound(number, round) {
  const none = `0x${'0'.repeat(64)}`, salt = `0x${number.toString(16).padStart(64, '0')}`
  const { address, abi } = await at('Sale')
  const data = encodeFunctionData({ abi, functionName: 'setRound', args: [BigInt(number), round] })
  await write('Timelock', 'schedule', [address, 0n, data, none, salt, 0n])
  await write('Timelock', 'execute', [address, 0n, data, none, salt])
}

// By docs/contracts.md.
function whitelistRoot(round, buyers) {
  const types = ['uint256', 'address', 'uint256', 'address'].map((type) => ({ type }))
  const leaves = buyers.map((buyer) => keccak256(keccak256(encodeAbiParameters(types, [3338n, places.Sale.address, BigInt(round), buyer])))).sort()
  return leaves.length === 1 ? leaves[0] : keccak256(concat(leaves))
}

async function program(name, file) {
  const it = new Program(name, ['checker', 'run', '--state', file])
  await it.says('checker.started')
  return it
}

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-chain-')
  chain = await Chain.start({ finalAfter: 4 })
  addresses = await deployContracts(chain, dir, (p) => ({ ...p, sale: { ...p.sale, lock_s: lockS } }))
  places = JSON.parse(await readFile(addresses, 'utf8')).contracts
  signer = await Signer.start(chain, addresses, join(dir, 'signer'))
  network = await Network.start({ chain_timeout_ms: 2000 },
    ['--chain-rpc', chain.url, '--chain-addresses', addresses, '--chain-signer', signer.path])
  await network.operator.login()
  ;[holder, operator] = await Promise.all(['holder', 'operator'].map((name) => Shell.open(name)))
  checker = (await operator.out('checker', 'create', network.url, '--name', 'one', '--state', join(dir, 'one'))).trim()
})
after(async () => {
  await network?.stop()
  await signer?.stop()
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

test('bought, delegated and accepted, a licence counts; taken back, it does not', async () => {
  const running = await program('checker', join(dir, 'one'))
  await running.says('a licence\'s owner delegates one')
  await network.operator.refused('PUT', `/v1/admin/checkers/${checker}`, { licences: 1 }, 409, 'licences-on-chain')
  const bare = await operator.json('checker', 'status', checker)
  assert.deepEqual([bare.status, bare.licences, bare.proposed], ['pending', 0, 0])
  assert.match(bare.why, new RegExp(`kaisar licence delegate ID ${checker}`))

  const [round] = await holder.json('licence', 'rounds')
  assert.deepEqual([round.state, round.coin_price, round.price, round.left], ['open', '0.26 coin', '800.0 DUSD', 29998])
  const bought = await holder.json('licence', 'buy', '--quantity', '3')
  assert.deepEqual([bought.licences, bought.round, bought.price], [[1, 2, 3], 0, '0.26 coin'])
  assert.equal(await read('Licence', 'ownerOf', [3n]), holder.address)
  const known = await until('the licence to be final', async () => {
    const it = await holder.licence(1)
    return it?.round !== null && it
  }, 60000)
  assert.deepEqual([known.owner, known.machine, known.state, known.round], [holder.address, null, 'free', 0])

  // What the contract would refuse, in words.
  await holder.refused(1, /MACHINE: 0x\w+ is registered as no checker on the chain; .*kaisar checker register/, 'licence', 'delegate', '1', checker)
  const consent = join(dir, 'consent.json')
  await writeFile(consent, await operator.out('checker', 'consent', '--state', join(dir, 'one'), '--owner', operator.address))
  await operator.out('checker', 'register', consent)
  await Promise.all([
    holder.refused(3, /ID: there is no licence 9/, 'licence', 'delegate', '9', checker),
    operator.refused(7, /ID: licence 1 belongs to 0x\w+, not to this wallet/, 'licence', 'delegate', '1', checker),
    network.operator.get('/v1/delegations').then(({ items }) => assert.deepEqual(items, [])),
  ])
  await holder.refused(1, /ID: licence 1 is delegated to no machine; nothing to take back/, 'licence', 'undelegate', '1')
  await operator.refused(1, /ID: licence 1 is delegated to no machine; its owner/, 'checker', 'accept', '1')

  const delegated = await holder.json('licence', 'delegate', '1', checker)
  assert.deepEqual([delegated.licence, delegated.machine, delegated.state], [1, getAddress(checker), 'proposed'])
  const waits = await operator.becomes('the delegation to be known', (it) => it.proposed === 1)
  assert.deepEqual([waits.status, waits.licences], ['pending', 0])
  assert.match(waits.why, /kaisar checker accept ID/)
  assert.deepEqual((await operator.json('checker', 'delegations')).map((it) => [it.licence, it.state]), [[1, 'proposed']])
  await holder.refused(7, /whose operator on the chain is 0x\w+, not this wallet/, 'checker', 'accept', '1')
  await operator.out('checker', 'accept', '1')
  const counts = await operator.becomes('the licence to count', (it) => it.licences === 1)
  assert.deepEqual([counts.status, counts.proposed, counts.why], ['ready', 0, ''])
  await running.says('checker.licensed')
  assert.equal((await operator.json('checker', 'accept', '1')).transaction, null)
  await operator.refused(1, /accepted already; only its owner/, 'checker', 'refuse', '1')
  assert.equal((await holder.licence(1)).state, 'accepted')

  // One that leaves the registry keeps its licence in the contract, and nothing counts for it until it is back.
  await chain.test.impersonateAccount({ address: operator.address })
  await write('Registry', 'deregister', [checker], operator.address)
  const out = await operator.becomes('the checker to be out', (it) => it.licences === 0)
  assert.equal(out.status, 'pending')
  assert.match(out.why, /not registered on the chain any more.*kaisar checker register/)
  assert.equal((await holder.licence(1)).state, 'accepted')
  await writeFile(consent, await operator.out('checker', 'consent', '--state', join(dir, 'one'), '--owner', operator.address, '--nonce', '1'))
  await operator.out('checker', 'register', consent)
  await operator.becomes('the licence to count again', (it) => it.licences === 1)

  // One that is refused was never one; who takes theirs back asks nobody.
  await holder.out('licence', 'delegate', '2', checker)
  await operator.out('checker', 'refuse', '2')
  await holder.out('licence', 'undelegate', '1')
  const gone = await operator.becomes('the licence to be taken back', (it) => it.licences === 0 && it.proposed === 0)
  assert.equal(gone.status, 'pending')
  assert.deepEqual((await holder.json('licence', 'list')).map((it) => it.state), ['free', 'free', 'free'])
  await until('the checker to be told', () => /checker\.no_licence[^]*checker\.licensed[^]*checker\.no_licence/.test(running.output))
  await running.stop()
})

test('who buys is guarded: price, list, referrer', async () => {
  const other = await Shell.open('other')
  const now = Number((await chain.public.getBlock()).timestamp)
  const round = {
    coinPrice: parseEther('0.26'), tokenPrice: parseUnits('800', 6), start: BigInt(now + 1), end: BigInt(now + 3600), cap: 2, sold: 0,
    whitelistDiscount: 2000, referralDiscount: 500, whitelist: whitelistRoot(1, [holder.address, other.address]),
  }
  await setRound(1, round)
  const list = join(dir, 'list'), wrong = join(dir, 'wrong')
  await writeFile(list, `# round 1\n${other.address}\n\n${holder.address.toLowerCase()}\n`)
  await writeFile(wrong, `${other.address}\n`)
  await until('the round to begin', async () => (await other.json('licence', 'rounds'))[1].state === 'open')
  await Promise.all([
    operator.refused(7, /--whitelist: 0x\w+ is not on the list of round 1/, 'licence', 'buy', '--round', '1', '--whitelist', list),
    holder.refused(7, /--referrer: is this wallet itself/, 'licence', 'buy', '--referrer', holder.address),
  ])
  await other.refused(1, /--whitelist: .*wrong is not the list of round 1/, 'licence', 'buy', '--round', '1', '--whitelist', wrong)
  await other.refused(1, /--referrer: 0x\w+ owns no licence/, 'licence', 'buy', '--round', '1', '--referrer', operator.address)
  await other.refused(1, /--max-price: a licence costs 0\.26 coin, more than 0\.25/, 'licence', 'buy', '--round', '1', '--max-price', '0.25')
  await other.refused(3, /--round: there is no round 2/, 'licence', 'buy', '--round', '2')
  await other.refused(5, /--token: 0x\w+ has 0\.0 DUSD, less than 800\.0 DUSD/, 'licence', 'buy', '--round', '1', '--token', 'stablecoin')

  // Listed: 20 % off. Referred: 5 %, and a tenth of it for who told them, fetched by themselves.
  const listed = await other.json('licence', 'buy', '--round', '1', '--whitelist', list)
  assert.equal(listed.price, '0.208 coin')
  const referred = await other.json('licence', 'buy', '--round', '1', '--quantity', '2', '--referrer', holder.address)
  assert.deepEqual([referred.licences.length, referred.price], [1, '0.247 coin'])
  await other.refused(1, /--round: round 1 is sold out/, 'licence', 'buy', '--round', '1')
  const [earned, back] = await Promise.all([holder, other].map((it) => it.json('collect', '--from', 'sale', '--token', 'coin')))
  assert.deepEqual([earned.amount, back.amount], ['0.0247', '0.247'])
  const mine = await until('the licences to be final', async () => {
    const items = await other.json('licence', 'list')
    return items.length === 2 && items.every((it) => it.round !== null) && items
  }, 60000)
  assert.deepEqual(mine.map((it) => it.round), [1, 1])
})

test('a transfer takes a licence back, a reorganisation was never, and a killed server takes each log once', async () => {
  await Promise.all([holder.out('licence', 'delegate', '2', checker)])
  await operator.out('checker', 'accept', '2')
  await operator.becomes('the licence to count', (it) => it.licences === 1)
  await until('the lock to end', async () => Number((await chain.public.getBlock()).timestamp) > Number(await read('Licence', 'unlockedAt', [2n])), 60000)
  await chain.call('anvil_impersonateAccount', [holder.address])
  await write('Licence', 'transferFrom', [holder.address, operator.address, 2n], holder.address)
  await operator.becomes('the licence to count no more', (it) => it.licences === 0)
  assert.equal((await operator.licence(2)).state, 'free')

  // Undone within three blocks, accepted again while nobody looks.
  await holder.out('licence', 'delegate', '3', checker)
  await chain.call('anvil_reorg', [3, []])
  for (const one of [holder, operator]) await chain.setBalance(one.address, parseEther('10'))
  await network.server.kill()
  await holder.out('licence', 'delegate', '3', checker)
  await operator.out('checker', 'accept', '3')
  await network.startServer()
  await operator.becomes('the licence to count', (it) => it.licences === 1 && it.proposed === 0)
  await network.server.kill()
  await network.startServer()
  assert.deepEqual((await operator.json('checker', 'delegations')).map((it) => [it.licence, it.state]), [[3, 'accepted']])
  assert.equal((await operator.json('checker', 'status', checker)).licences, Number(await read('Licence', 'accepted', [checker])))
})
