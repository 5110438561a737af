// What the contracts log is taken exactly once, and only when it is final, whatever happens to who takes it, to the
// chain, and to what stands between them. On real anvil with real deposits in the Escrow contract: what was written
// down is what the contract says, to the last unit.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { zeroAddress } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { Chain, Liar, honest } from './lib/chain.js'
import { emptyDatabase, sleep, until } from './lib/network.js'
import { Peer } from './lib/peer.js'
import { Random } from './lib/random.js'

const finalAfter = 4 // so that reorganisations three blocks deep reach nothing final
let dir, chain, dollar, escrow, began, store, runs, liars, number = 0

class Indexer extends Peer {
  constructor(urls = [chain.url], { agree = 1, first = began, escrows = `${escrow.address}@${first}` } = {}) {
    super('indexer_peer', [store, String(agree), escrows, ...urls])
    runs.push(this)
  }

  async deposits() {
    return await this.json('deposits') ?? []
  }

  async pending() {
    return await this.json('pending') ?? []
  }
}

const wallet = () => privateKeyToAccount(generatePrivateKey()).address.toLowerCase()
const send = (contract, functionName, args) =>
  chain.rich.writeContract({ address: contract.address, abi: contract.abi, functionName, args, gas: 200000n })
const head = async () => Number(await chain.public.getBlockNumber({ cacheTime: 0 }))
const deposit = (tenant, amount) => send(escrow, 'deposit', [dollar.address, tenant, BigInt(amount)])

async function deployEscrow() {
  const rich = chain.rich.account.address
  const made = await chain.deploy('Escrow', [rich, rich, rich, zeroAddress, 3600n, 1000, [dollar.address], [10n ** 12n]])
  await send(dollar, 'approve', [made.address, 10n ** 15n])
  await chain.mine()
  return made
}

// What the chain says was deposited since @first, as the peer writes it.
const logged = async (first = began) => (await chain.public.getContractEvents({
  address: escrow.address, abi: escrow.abi, eventName: 'Deposited', fromBlock: BigInt(first),
})).map((e) => [Number(e.blockNumber), e.logIndex, e.args.tenant.toLowerCase(), Number(e.args.amount)])

async function agreesWithTheContract(deposits) {
  const sums = {}
  for (const [, , tenant, amount] of deposits) sums[tenant] = (sums[tenant] ?? 0n) + BigInt(amount)
  for (const [tenant, sum] of Object.entries(sums))
    assert.equal(sum, await chain.public.readContract({
      address: escrow.address, abi: escrow.abi, functionName: 'deposited', args: [dollar.address, tenant],
    }))
}

// Mines until all that the chain has logged is written down, and compares.
async function allTaken(indexer, first = began, timeoutMs = 60000) {
  const expected = await logged(first)
  await chain.mine(finalAfter)
  const deposits = await until('all deposits to be taken', async () => {
    const deposits = await indexer.deposits()
    return deposits.length >= expected.length && deposits
  }, timeoutMs)
  assert.deepEqual(deposits, expected)
  await agreesWithTheContract(deposits)
}

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-indexer-')
  runs = []
  liars = []
  chain = await Chain.start({ mining: false, finalAfter })
  const rich = chain.rich.account.address
  dollar = await chain.deploy('Dollar')
  await send(dollar, 'mint', [rich, 10n ** 15n])
  escrow = await deployEscrow()
})
after(async () => {
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

// A store of its own for each test, and only what is logged from now on.
async function fresh() {
  store = await emptyDatabase() ?? `sqlite:${dir}/${++number}.db`
  await chain.mine(finalAfter + 1)
  began = await head() - finalAfter
}
afterEach(async () => {
  for (const run of runs.splice(0)) await run.kill()
  for (const liar of liars.splice(0)) await liar.stop()
})
const liar = async (change) => {
  liars.push(await Liar.start(chain, change))
  return liars.at(-1)
}

test('deposits while the indexer is killed at 15 moments and the chain reorganised twice: each once', async () => {
  const dice = new Random('indexer'), tenants = [wallet(), wallet(), wallet()]
  const some = async (n) => {
    for (let i = 0; i < n; i++) await deposit(dice.pick(tenants), 1 + dice.below(1000000))
    await chain.mine()
  }
  await fresh()
  let indexer = new Indexer()
  for (let i = 0; i < 15; i++) {
    await some(1 + dice.below(12))
    if (i % 3 === 0) await chain.mine(dice.below(3))
    if (i === 5 || i === 10) {
      await some(3)
      await some(2)
      await chain.call('anvil_reorg', [3, []])
    }
    // Half of them while it begins, half of them in the middle of its work.
    if (i % 2) await until('a turn', () => indexer.health.final > 0)
    await sleep(dice.below(150))
    await indexer.kill()
    indexer = new Indexer()
  }
  await allTaken(indexer)
  assert.equal(indexer.health.problem, '')
})

test('what is not final is shown, not taken; what is dropped is gone', async () => {
  await fresh()
  const indexer = new Indexer(), lost = wallet(), kept = wallet()
  await chain.mine()
  await deposit(lost, 5)
  await chain.mine(2)
  const [seen] = await until('it to be shown', async () => (await indexer.pending()).length && indexer.pending())
  assert.deepEqual(seen.slice(2), [lost, 5, false])
  assert.deepEqual(await indexer.deposits(), [])
  await chain.call('anvil_reorg', [3, []])
  await until('it to be gone', async () => (await indexer.pending()).length === 0)
  await deposit(kept, 7)
  await chain.mine()
  await until('the other to be shown', async () => (await indexer.pending()).length === 1)
  await allTaken(indexer)
  assert.deepEqual((await indexer.deposits()).map((d) => d.slice(2)), [[kept, 7]])
  assert.deepEqual(await indexer.pending(), [])
})

test('one of three endpoints lies: nothing appears, nothing vanishes, and it is named', async () => {
  await fresh()
  const lies = await liar(), others = [await liar(), await liar()]
  const indexer = new Indexer([lies.url, ...others.map((o) => o.url)], { agree: 2 })
  const name = lies.url.replace(/\/$/, '')
  const logs = (change) => async (method, _params, ask) => {
    const answer = await ask()
    return method === 'eth_getLogs' && answer.result.length ? { result: change(answer.result) } : answer
  }
  const block = (which, change) => async (method, params, ask) => {
    const answer = await ask()
    return method === 'eth_getBlockByNumber' && (which === 'each' || params[0] === which) ? { result: { ...answer.result, ...change } } : answer
  }
  const cases = {
    'an invented log': [logs((all) => [...all, { ...all[0], logIndex: '0x63' }]), /gives other logs of blocks/],
    'an omitted log': [logs((all) => all.slice(1)), /gives other logs of blocks/],
    'another amount': [logs((all) => all.map((log) => ({ ...log, data: log.data.replace(/.$/, 'f') }))), /gives other logs/],
    'another block': [logs((all) => all.map((log) => ({ ...log, blockHash: `0x${'12'.repeat(32)}` }))), /gives other logs/],
    'a dropped log': [logs((all) => all.map((log) => ({ ...log, removed: true }))), /of a dropped block/],
    'a log twice': [logs((all) => [...all, all[0]]), /a log twice/],
    'a log of another block': [logs((all) => all.map((log) => ({ ...log, blockNumber: '0x1' }))), /of another contract or block/],
    'a log of another contract': [logs((all) => all.map((log) => ({ ...log, address: dollar.address }))), /of another contract or block/],
    'no list': [logs(() => ({})), /no list of logs/],
    'another hash of the final block': [block('finalized', { hash: `0x${'ab'.repeat(32)}` }), /another block \d+/],
    'another hash of every block': [block('each', { hash: `0x${'cd'.repeat(32)}` }), /another block \d+/],
  }
  for (const [what, [lie, problem]] of Object.entries(cases)) {
    lies.change = lie
    // In a turn in which it is a block behind the others it is not asked.
    const said = await until(`a problem for ${what}`, async () => {
      await deposit(wallet(), 16 + what.length)
      await deposit(wallet(), 17)
      await chain.mine()
      await allTaken(indexer)
      await sleep(100)
      return indexer.problems.find((said) => problem.test(said))
    }, 60000)
    assert.ok(said.startsWith(name) && /take it out of the endpoints$/.test(said), said)
    lies.change = honest
    await until('no problem', () => indexer.health.problem === '')
    assert.match(indexer.health.endpoints[0], /take it out of the endpoints$/) // said for an hour
    await until('no word against the others', () => indexer.health.endpoints.slice(1).every((said) => said === ''))
    indexer.problems = []
  }
})

test('one that calls the newest block final makes nothing final', async () => {
  await fresh()
  const lies = await liar((method, params, ask) => {
    if (method !== 'eth_getBlockByNumber' || params[0] !== 'finalized') return ask()
    return fetch(chain.url, {
      method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: ['latest', false] }),
    }).then((answer) => answer.json())
  })
  const others = [await liar(), await liar()]
  const indexer = new Indexer([...others.map((o) => o.url), lies.url], { agree: 2 })
  await deposit(wallet(), 9)
  await chain.mine(3)
  await until('it to be shown', async () => (await indexer.pending()).length === 1)
  await sleep(300)
  assert.deepEqual(await indexer.deposits(), [])
  // Nor does one that lags: two of three know better.
  others[0].change = (method, params, ask) =>
    method === 'eth_getBlockByNumber' && params[0] === 'finalized' ? { result: { number: '0x0', hash: `0x${'00'.repeat(32)}` } } : ask()
  await allTaken(indexer)
})

test('one that lags leaves nothing out, even where each is believed', async () => {
  await fresh()
  const lags = await liar(async (method, params, ask) => {
    if (method === 'eth_getLogs') return { result: [] }
    if (method !== 'eth_getBlockByNumber' || params[0] !== 'finalized') return ask()
    return { result: await chain.call(method, [`0x${began.toString(16)}`, false]) }
  })
  const indexer = new Indexer([lags.url, chain.url])
  for (let i = 0; i < 3; i++) {
    await deposit(wallet(), 8)
    await allTaken(indexer)
  }
})

test('when too few agree nothing is taken, and it goes on when enough do', async () => {
  await fresh()
  const nodes = [await liar(), await liar(), await liar()]
  const indexer = new Indexer(nodes.map((n) => n.url), { agree: 2 })
  await deposit(wallet(), 3)
  await deposit(wallet(), 4)
  nodes.forEach((node, i) => {
    node.change = async (method, _params, ask) => {
      const answer = await ask()
      return method === 'eth_getLogs' && i < 2 ? { result: answer.result.slice(i, i + 1) } : answer
    }
  })
  await chain.mine(finalAfter + 1)
  await until('the problem', () => /the endpoints give different logs of blocks \d+ to \d+, and 2 must agree/.test(indexer.health.problem))
  assert.deepEqual(await indexer.deposits(), [])
  assert.ok(indexer.health.behind > 0)
  nodes[0].change = honest
  await allTaken(indexer)
  assert.equal(indexer.health.behind, 0)
})

test('garbage, silence and refusals: nothing is lost, nothing is taken twice', async () => {
  await fresh()
  const failures = [
    () => '<html>not here</html>', () => null, () => ({ error: { code: -32005, message: 'rate limit' } }),
    () => ({ result: '0x' }), () => ({ result: null }), () => ({}), honest,
  ]
  const lies = [
    (method, _params, ask) => method === 'eth_getLogs' ? { result: [] } : ask(),
    (method, params, ask) => method === 'eth_getBlockByNumber' ? { result: { number: '0xffffff', hash: `0x${'ee'.repeat(32)}` } } : ask(),
  ]
  const nodes = [await liar(), await liar(), await liar()]
  const dice = new Random('moods')
  const indexer = new Indexer(nodes.map((n) => n.url), { agree: 2 })
  for (let i = 0; i < 10; i++) {
    for (const node of nodes) node.change = dice.pick(node === nodes[0] ? [...failures, ...lies] : failures)
    await deposit(wallet(), 1 + i)
    await chain.mine()
    await sleep(200)
  }
  for (const node of nodes) node.change = honest
  await allTaken(indexer, began, 180000)
})

test('endpoints that find a question too wide, or answer it with too much, are asked less at once', async () => {
  await fresh()
  for (let i = 0; i < 12; i++) {
    await deposit(wallet(), 1 + i)
    await chain.mine(3)
  }
  const asked = []
  const narrow = await liar((method, params, ask) => {
    if (method !== 'eth_getLogs') return ask()
    const blocks = Number(params[0].toBlock) - Number(params[0].fromBlock) + 1
    asked.push(blocks)
    return blocks > 5 ? { error: { code: -32005, message: 'too wide' } } : ask()
  })
  await allTaken(new Indexer([narrow.url]))
  assert.ok(Math.max(...asked) > 30 && Math.min(...asked) <= 5)
  // 100 logs in each of twelve blocks: more than are taken at once.
  const first = began
  await fresh()
  const many = await liar(async (method, _params, ask) => {
    const answer = await ask()
    if (method !== 'eth_getLogs') return answer
    return { result: answer.result.flatMap((log) => Array.from({ length: 100 }, (_, i) => ({ ...log, logIndex: `0x${i.toString(16)}` }))) }
  })
  const indexer = new Indexer([many.url], { first })
  const all = await until('all of them', async () => {
    const deposits = await indexer.deposits()
    return deposits.length >= 12 * 100 && deposits
  }, 60000)
  assert.equal(new Set(all.map(([block, index]) => `${block}/${index}`)).size, 12 * 100)
  assert.equal(all.length, 12 * 100)
})

test('another chain, or one whose final blocks changed: nothing goes on, and it is said', async () => {
  const replaced = /was final and is another now: the chain was replaced or rewound/
  await fresh()
  await deposit(wallet(), 1)
  let indexer = new Indexer()
  await allTaken(indexer)
  const taken = await indexer.deposits()
  await indexer.kill()
  const other = await Chain.start({ mining: false, finalAfter })
  try {
    await other.mine(began + finalAfter)
    indexer = new Indexer([other.url])
    await until('a shorter chain to be found out', () => replaced.test(indexer.health.problem))
    await indexer.kill()
    await other.mine(1000)
    indexer = new Indexer([other.url])
    await until('a longer chain to be found out', () => indexer.health.head > 1000 && replaced.test(indexer.health.problem))
    assert.deepEqual(await indexer.deposits(), taken)
    await indexer.kill()
  } finally {
    await other.stop()
  }
  indexer = new Indexer()
  await deposit(wallet(), 2)
  await chain.mine()
  await allTaken(indexer)
  await chain.call('anvil_reorg', [finalAfter + 3, []])
  await chain.mine(2)
  await until('the rewinding to be found out', () => replaced.test(indexer.health.problem))
  await deposit(wallet(), 3)
  await chain.mine(finalAfter + 1)
  await sleep(300)
  assert.equal((await indexer.deposits()).length, 2)
})

test('a contract that is followed later is caught up with, and the others go on', async () => {
  const follow = (contract, block) => `${contract.address}@${block}`
  const old = escrow
  await fresh()
  const first = began
  for (let i = 0; i < 3; i++) {
    await deposit(wallet(), 1 + i)
    await chain.mine(2)
  }
  const made = await head()
  const next = await deployEscrow()
  const onBoth = async () => {
    for (escrow of [next, old]) await deposit(wallet(), 9)
    await chain.mine()
  }
  await onBoth()
  try {
    let indexer = new Indexer([chain.url], { escrows: follow(next, made) })
    escrow = next
    await allTaken(indexer, made)
    await indexer.kill()
    indexer = new Indexer([chain.url], { escrows: `${follow(next, made)},${follow(old, first)}` })
    await onBoth()
    escrow = old
    const expected = await logged(first)
    escrow = next
    expected.push(...await logged(made))
    expected.sort(([a, i], [b, j]) => a - b || i - j)
    await chain.mine(finalAfter)
    await until('all of both', async () => (await indexer.deposits()).length >= expected.length)
    assert.deepEqual(await indexer.deposits(), expected)
    assert.equal(expected.length, 3 + 4)
    assert.deepEqual(indexer.problems, [])
  } finally {
    escrow = old
  }
})

test('two indexers on one store: each deposit once all the same', async () => {
  await fresh()
  const indexers = [new Indexer(), new Indexer()]
  for (let i = 0; i < 8; i++) {
    for (let j = 0; j < 10; j++) await deposit(wallet(), 1 + i)
    await chain.mine()
  }
  for (const indexer of indexers) await allTaken(indexer)
  for (const indexer of indexers) assert.deepEqual(indexer.problems, [])
})
