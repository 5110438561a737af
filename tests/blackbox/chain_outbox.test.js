// What is sent to the chain is there exactly once, whatever happens to who sends it, to the chain, and to what
// stands between them. On real anvil and the real Anchor contract, which takes each sequence number once and in
// order.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { keccak256, parseEther, toHex } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { Chain, Liar, honest } from './lib/chain.js'
import { emptyDatabase, sleep, until } from './lib/network.js'
import { OutboxPeer } from './lib/outbox.js'
import { Random } from './lib/random.js'

let dir, chain, anchor, key, sender, store, runs, liars, number = 0

class Outbox extends OutboxPeer {
  constructor(urls = [chain.url], options) {
    super(store, key.slice(2), urls, options)
    runs.push(this)
  }

  anchor(sequence, name = `anchor/${sequence}`, contract = anchor) {
    return super.anchor(contract, sequence, name)
  }
}

const events = () => chain.public.getContractEvents({
  address: anchor.address, abi: anchor.abi, eventName: 'Anchored', args: { publisher: sender }, fromBlock: 0n,
})

// Mines until the outbox says so.
async function minesUntil(what, outbox, state, timeoutMs = 60000) {
  await until(what, async () => {
    await chain.mine()
    return state(await outbox.counts())
  }, timeoutMs)
}

async function onceEach(n) {
  assert.deepEqual((await events()).map((e) => Number(e.args.sequence)), [...Array(n).keys()].map((i) => i + 1))
  assert.equal(await chain.public.getTransactionCount({ address: sender }), n)
}

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-outbox-')
  chain = await Chain.start({ mining: false })
  runs = []
  liars = []
})
after(async () => {
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

// A key, a store and a contract of its own for each test.
async function fresh(coins = '10') {
  store = await emptyDatabase() ?? `sqlite:${dir}/${++number}.db`
  key = generatePrivateKey()
  sender = privateKeyToAccount(key).address
  await chain.setBalance(sender, parseEther(coins))
  anchor ??= await chain.deploy('Anchor')
}
afterEach(async () => {
  for (const run of runs.splice(0)) await run.kill()
  for (const liar of liars.splice(0)) await liar.stop()
})
const liar = async (change) => {
  liars.push(await Liar.start(chain, change))
  return liars.at(-1)
}

test('200 calls, the sender killed at 25 moments, the chain reorganised twice: each once', async () => {
  const dice = new Random('outbox')
  await fresh()
  let outbox = new Outbox()
  const all = async () => {
    for (let i = 1; i <= 200; i++) if (await outbox.anchor(i) === null) return false
    return true
  }
  assert.ok(await all())
  for (let i = 0; i < 25; i++) {
    await sleep(dice.below(300))
    await outbox.kill()
    if (i % 2 === 0) await chain.mine(dice.below(3))
    if (i === 8 || i === 16) {
      await chain.mine(3)
      await chain.call('anvil_reorg', [3, []])
    }
    outbox = new Outbox()
    if (i % 5 === 0) assert.ok(await all()) // whoever adds again changes nothing
  }
  await minesUntil('all to be final', outbox, (counts) => counts.final === 200, 120000)
  await onceEach(200)
})

test('what is dropped with its block is sent again', async () => {
  await fresh()
  const outbox = new Outbox()
  for (let i = 1; i <= 3; i++) await outbox.anchor(i)
  await until('them to be sent', async () => (await outbox.counts()).sent === 3)
  await chain.mine()
  await until('them to be mined', async () => (await outbox.counts()).mined === 3)
  await chain.call('anvil_reorg', [1, []])
  await minesUntil('them to be final', outbox, (counts) => counts.final === 3)
  await onceEach(3)
})

test('a node that forgets what it was sent gets it again', async () => {
  await fresh()
  const outbox = new Outbox()
  await outbox.anchor(1)
  await until('it to be sent', async () => (await outbox.counts()).sent === 1)
  await until('it to be there', async () => (await chain.call('txpool_status')).pending !== '0x0')
  await chain.call('anvil_dropAllTransactions')
  await minesUntil('it to be final', outbox, (counts) => counts.final === 1)
  await onceEach(1)
})

test('what the chain does not take for its fee is paid more for, and is there once', async () => {
  await fresh()
  const outbox = new Outbox([chain.url], { env: { RAISE_MS: '1000', AGAIN_MS: '300' } })
  await outbox.anchor(1)
  const raised = await until('a second variant', async () => {
    const call = await outbox.show('anchor/1')
    return call.variants > 1 && call
  })
  assert.equal(raised.nonce, 0)
  await minesUntil('it to be final', outbox, (counts) => counts.final === 1)
  await onceEach(1)
})

test('without coins it says so, and goes on when there are some', async () => {
  await fresh('0')
  const outbox = new Outbox()
  await outbox.anchor(1)
  await until('its complaint', () => /cannot pay for its transactions; send it coins/.test(outbox.health.problem))
  assert.match(outbox.health.problem, new RegExp(sender))
  await chain.setBalance(sender, parseEther('1'))
  await minesUntil('it to be final', outbox, (counts) => counts.final === 1)
  assert.equal(outbox.health.problem, '')
  await onceEach(1)
})

test('a call that the contract refuses ends so, costs nothing and stops no other', async () => {
  await fresh()
  const outbox = new Outbox()
  await outbox.anchor(7) // six too early
  await outbox.anchor(1)
  await minesUntil('both to end', outbox, (counts) => counts.final === 1 && counts.refused === 1)
  const refused = await outbox.show('anchor/7')
  assert.equal(refused.nonce, -1)
  assert.match(refused.detail, /revert/)
  await onceEach(1)
})

test('what comes too early waits for what makes it possible', async () => {
  await fresh()
  const outbox = new Outbox([chain.url], { env: { REFUSE_MS: '60000' } })
  await outbox.anchor(2)
  await until('the refusal', async () => /revert/.test((await outbox.show('anchor/2')).detail))
  await outbox.anchor(1)
  await minesUntil('both to be final', outbox, (counts) => counts.final === 2)
  await onceEach(2)
})

test('what the signer will not sign holds back what comes after it of its kind, nothing else, and says so', async () => {
  await fresh()
  const outbox = new Outbox([chain.url], { env: { REFUSE_MS: '500' } }), other = await chain.deploy('Anchor')
  await outbox.anchor(1, 'forbidden/1')
  await outbox.anchor(2, 'forbidden/2') // would be refused for coming too early
  await outbox.anchor(1, 'anchor/1', other)
  await minesUntil('the other one to be final', outbox, (counts) => counts.final === 1)
  const told = 'the signer will not sign forbidden/1: it is forbidden'
  await until('the other to be told', () => outbox.health.problem === told, 60000)
  await sleep(1000)
  assert.equal(outbox.health.problem, told)
  assert.equal((await outbox.counts()).queued, 2)
})

test('however many calls of a kind that is not signed wait, the others go', async () => {
  await fresh()
  const outbox = new Outbox(), other = await chain.deploy('Anchor')
  for (let i = 1; i <= 70; i++) await outbox.anchor(i, `forbidden/${i}`)
  await outbox.anchor(1, 'anchor/1', other)
  await minesUntil('the one behind them to be final', outbox, (counts) => counts.final === 1)
  assert.equal(outbox.health.problem, 'the signer will not sign forbidden/1: it is forbidden')
  assert.equal((await outbox.counts()).queued, 70)
})

test('fees and gas have a limit', async () => {
  await fresh()
  const poor = new Outbox([chain.url], { env: { MAX_FEE_WEI: '1' } })
  await poor.anchor(1)
  await until('the complaint about fees', () => /the limit is 1; wait, or raise the limit/.test(poor.health.problem))
  await poor.kill()
  const small = new Outbox([chain.url], { env: { MAX_GAS: '21000' } })
  await until('its end', async () => (await small.counts()).refused === 1)
  assert.match((await small.show('anchor/1')).detail, /gas, the limit is 21000/)
  assert.equal(await chain.public.getTransactionCount({ address: sender }), 0)
})

test('a key that another program uses, too: said, and still each once', async () => {
  await fresh()
  const stolen = await liar((method, _params, ask) => method === 'eth_sendRawTransaction' ? { result: toHex(0, { size: 32 }) } : ask())
  const outbox = new Outbox([stolen.url])
  await outbox.anchor(1)
  await until('it to be sent', async () => (await outbox.counts()).sent === 1)
  const other = await chain.call('eth_sendRawTransaction', [await privateKeyToAccount(key).signTransaction({
    chainId: 3338, type: 'eip1559', nonce: 0, to: sender, gas: 21000n, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n,
  })])
  assert.ok(other)
  await chain.mine(4)
  await until('it to be said', async () => {
    await chain.mine()
    return /was used by another program/.test(outbox.health.problem)
  })
  const call = await until('another nonce', async () => {
    await chain.mine()
    const call = await outbox.show('anchor/1')
    return call.nonce === 1 && call
  })
  assert.match(call.detail, /^$/)
  stolen.change = honest
  await minesUntil('it to be final', outbox, (counts) => counts.final === 1)
  assert.equal((await events()).length, 1)
})

test('a single endpoint that denied what was mined is no reason to lose it', async () => {
  await fresh()
  const denies = await liar()
  const outbox = new Outbox([denies.url], { env: { REFUSE_MS: '60000' } })
  for (let i = 1; i <= 3; i++) await outbox.anchor(i)
  await until('them to be sent', async () => (await outbox.counts()).sent === 3)
  denies.change = (method, _params, ask) => method === 'eth_getTransactionReceipt' ? { result: null } : ask()
  await minesUntil('it to be believed', outbox, (counts) => counts.queued === 3)
  denies.change = honest
  await minesUntil('all to be final', outbox, (counts) => counts.final === 3)
  await onceEach(3)
})

test('one of three endpoints lies: nothing is final by its word, nothing is sent twice', async () => {
  await fresh()
  const lies = await liar(async (method, params, ask) => {
    if (method === 'eth_getBlockByNumber' && params[0] === 'finalized')
      return { result: { ...(await ask()).result, number: '0xffffff' } }
    if (method === 'eth_getTransactionReceipt')
      return { result: { transactionHash: params[0], blockHash: keccak256('0x'), blockNumber: '0x1', status: '0x1' } }
    if (method === 'eth_getTransactionCount') return { result: '0x63' }
    return ask()
  })
  const others = [await liar(), await liar()]
  const outbox = new Outbox([lies.url, ...others.map((o) => o.url)], { agree: 2 })
  await outbox.anchor(1)
  await sleep(1500)
  const { final } = await outbox.counts()
  assert.equal(final, 0)
  lies.change = honest
  await minesUntil('it to be final', outbox, (counts) => counts.final === 1)
  assert.equal((await events()).length, 1)
})

test('garbage, silence, refusals and a lagging head: nothing is lost, nothing is sent twice', async () => {
  await fresh()
  const failures = [
    () => '<html>not here</html>',
    () => null,
    () => ({ error: { code: -32005, message: 'rate limit' } }),
    () => ({ result: '0x' }),
    () => ({}),
    honest,
  ]
  const lies = [
    (method, _params, ask) => method === 'eth_getTransactionReceipt' ? { result: null } : ask(),
    (method, _params, ask) => method === 'eth_sendRawTransaction' ? { error: { code: -32000, message: 'already known' } } : ask(),
    (method, params, ask) => method === 'eth_getTransactionCount' ? { result: params[1] === 'latest' ? '0x0' : '0xff' } : ask(),
  ]
  // All of them fail now and then; one of three lies, too, and two must agree.
  const nodes = [await liar(), await liar(), await liar()]
  const dice = new Random('moods')
  const outbox = new Outbox(nodes.map((n) => n.url), { agree: 2, env: { AGAIN_MS: '300', REFUSE_MS: '60000' } })
  for (let i = 1; i <= 20; i++) await outbox.anchor(i)
  for (let i = 0; i < 12; i++) {
    for (const node of nodes) node.change = dice.pick(node === nodes[0] ? [...failures, ...lies] : failures)
    await chain.mine()
    await sleep(300)
  }
  for (const node of nodes) node.change = honest
  await minesUntil('all to be final', outbox, (counts) => counts.final === 20, 180000)
  await onceEach(20)
})
