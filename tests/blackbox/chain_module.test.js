// What the network records on the chain: every final record in exactly one root, each root there once and in order,
// whatever becomes of the control plane and of the chain. On real anvil and the real contracts.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StandardMerkleTree } from '@openzeppelin/merkle-tree'
import { keccak256, toHex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { Chain, Liar, honest } from './lib/chain.js'
import { Signer, deployContracts, lyingNetwork } from './lib/deployment.js'
import { Network, Program, bin, sleep, until } from './lib/network.js'
import { Random } from './lib/random.js'

const kinds = ['usage', 'proofs', 'audit', 'payouts']
const anchorAbi = JSON.parse(await readFile(new URL('../../contracts/abi/Anchor.json', import.meta.url), 'utf8'))
let dir, chain, liar, addresses, anchor, signer, network

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-chain-')
  chain = await Chain.start({ finalAfter: 4 })
  addresses = await deployContracts(chain, dir)
  anchor = JSON.parse(await readFile(addresses, 'utf8')).contracts.Anchor.address
  signer = await Signer.start(chain, addresses, join(dir, 'signer'))
  liar = await Liar.start(chain)
  network = await Network.start(
    { anchor_every_ms: 1000, chain_alarm_ms: 300, chain_timeout_ms: 1000, chain_again_ms: 2000, chain_refuse_ms: 2000 },
    ['--chain-rpc', liar.url, '--chain-addresses', addresses, '--chain-signer', signer.path])
  await network.operator.login()
})
after(async () => {
  await network?.stop()
  await liar?.stop()
  await signer?.stop()
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

// Records that became final, as a module writes them.
function addLeaves(leaves) {
  const rows = leaves.map(({ kind, id, digest }) => [kinds.indexOf(kind), id.slice(2), digest.slice(2)])
  if (network.db) {
    const values = rows.map(([kind, id, digest]) => `(${kind}, '\\x${id}', '\\x${digest}')`)
    execFileSync(join(process.env.KAISAR_TEST_POSTGRES_BIN, 'psql'),
      ['-q', network.db, '-c', `INSERT INTO chain_leaves (kind, id, digest) VALUES ${values}`])
  } else {
    const script = `import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30)
db.executemany("INSERT INTO chain_leaves (kind, id, digest) VALUES (?, ?, ?)",
  [(k, bytes.fromhex(i), bytes.fromhex(d)) for k, i, d in json.load(sys.stdin)])
db.commit()`
    execFileSync('python3', ['-c', script, join(network.dir, 'server/kaisar.db')], { input: JSON.stringify(rows) })
  }
}

const anchors = async () => {
  const items = []
  for (let cursor = ''; ;) {
    const page = await network.operator.get(`/v1/anchors?limit=3${cursor}`)
    items.push(...page.items)
    if (!page.next) return items.reverse()
    cursor = `&cursor=${page.next}`
  }
}

async function leavesOf(sequence) {
  const answer = await fetch(`${network.url}/v1/anchors/${sequence}/leaves`)
  assert.equal(answer.headers.get('content-type'), 'application/octet-stream')
  return new Uint8Array(await answer.arrayBuffer())
}

// The tree that anyone builds of what is published.
function rebuild(bytes, kind) {
  const values = []
  for (let i = 0; i < bytes.length; i += 64)
    values.push([3338n, anchor, kinds.indexOf(kind), toHex(bytes.subarray(i, i + 32)), toHex(bytes.subarray(i + 32, i + 64))])
  return StandardMerkleTree.of(values, ['uint256', 'address', 'uint8', 'bytes32', 'bytes32'])
}

const events = () => chain.public.getContractEvents({
  address: anchor, abi: anchorAbi, eventName: 'Anchored', args: { publisher: signer.address }, fromBlock: 0n,
})
const health = () => network.operator.get('/v1/admin/chain')
const problems = async () => (await network.operator.get('/v1/events?limit=100')).items.filter((e) => e.type.startsWith('chain.'))

// Beside them are the batches of the network's own audit log, whose ids are their numbers.
const isBatch = (kind, id) => kind === 'audit' && id.endsWith('0'.repeat(48))

async function allFinal(records) {
  await until('every record to be in a final root', async () => {
    for (const { kind, id } of records)
      if (!(await network.operator.raw('GET', `/v1/inclusions/${kind}/${id}`)).json.anchor?.final) return false
    return (await anchors()).every((a) => a.final)
  }, 120000).catch(async (error) => {
    throw new Error(`${error.message}: ${JSON.stringify({ anchors: await anchors(), health: await health() })}`)
  })
}

test('records are anchored once each, whatever is killed and reorganised', async () => {
  const dice = new Random('chain module')
  const records = []
  for (let i = 0; i < 6; i++) {
    const some = Array.from({ length: 1 + dice.below(20) }, () => ({ kind: dice.pick(kinds.slice(0, 3)), id: dice.hex(32), digest: dice.hex(32) }))
    records.push(...some)
    addLeaves(some)
    await sleep(dice.below(1500))
    await network.server.kill()
    if (i === 2 || i === 4) await chain.call('anvil_reorg', [3, []])
    await network.startServer()
  }
  await allFinal(records)

  const list = await anchors(), logs = await events()
  assert.deepEqual(list.map((a) => a.sequence), list.map((_, i) => i + 1))
  assert.deepEqual(logs.map((l) => [Number(l.args.sequence), kinds[l.args.kind], l.args.root, l.args.leaves, l.args.content, l.args.head]),
    list.map((a) => [a.sequence, a.kind, a.root, a.leaves, a.content, a.head]))
  const seen = new Map()
  for (const a of list) {
    const bytes = await leavesOf(a.sequence), tree = rebuild(bytes, a.kind)
    assert.equal(tree.root, a.root)
    assert.equal(keccak256(bytes), a.content)
    const { blockNumber } = await chain.public.getTransactionReceipt({ hash: a.transaction })
    assert.equal(Number(blockNumber), a.block)
    for (const [i, [, , , id, digest]] of tree.entries()) {
      assert.ok(!seen.has(a.kind + id), 'a record in two roots')
      seen.set(a.kind + id, digest)
      const inclusion = await network.operator.get(`/v1/inclusions/${a.kind}/${id}`)
      assert.deepEqual([inclusion.digest, inclusion.path, inclusion.anchor], [digest, tree.getProof(i), a])
      assert.equal(inclusion.leaf, tree.leafHash([3338n, anchor, kinds.indexOf(a.kind), id, digest]))
    }
  }
  for (const { kind, id, digest } of records) assert.equal(seen.get(kind + id), digest)
  const batches = [...seen.keys()].filter((key) => isBatch(key.slice(0, -66), key.slice(-66)))
  assert.equal(seen.size, records.length + batches.length)
  const latest = await chain.public.readContract({ address: anchor, abi: anchorAbi, functionName: 'latest', args: [signer.address] })
  assert.deepEqual([Number(latest.sequence), latest.head], [list.length, list.at(-1).head])
})

async function anchorVerify(kind, id, options = {}, url = network.url) {
  const words = Object.entries({ rpc: chain.url, ...options }).flatMap(([name, value]) => [`--${name}`, value])
  const program = new Program('anchor verify', ['anchor', 'verify', '--url', url, ...words, kind, id], { KAISAR_HOME: dir })
  return { ...await program.ended, said: program.output }
}

test('anybody checks a record on the chain, whatever network and endpoints say', async () => {
  const list = await anchors(), [first] = list
  const [, [, , , id, digest]] = [...rebuild(await leavesOf(first.sequence), first.kind).entries()][0]
  const verify = (options, url) => anchorVerify(first.kind, id, { digest, ...options }, url)
  const fails = async (why, options, url, status = 1) => {
    const { code, said } = await verify(options, url)
    assert.match(said, why)
    assert.equal(code, status, said)
  }
  const good = await verify()
  assert.equal(good.code, 0, good.said)
  assert.match(good.said, new RegExp(`under root 1 of ${signer.address} at ${anchor}, in block ${first.block} \\(final\\), ` +
    `transaction ${first.transaction}; the contract's head after root ${list.length} follows from it`))
  await fails(/another record of this id/, { digest: toHex(1, { size: 32 }) })
  await fails(/has no root 1 of this publisher/, { publisher: `0x${'11'.repeat(20)}` })
  await fails(/has no root 1 of this publisher/, { 'anchor-contract': `0x${'22'.repeat(20)}` })

  const inclusion = (change) => (url, json) => url.includes('inclusions') ? { ...json, ...change(json) } : json
  const roots = (change) => (url, json) => url.includes('/v1/anchors') ? { ...json, items: change(json.items) } : json
  const forged = toHex(7, { size: 32 })
  const lies = {
    'another digest': [/is not under root/, inclusion(() => ({ digest: forged })), { digest: forged }],
    'another path': [/is not under root/, inclusion(({ path }) => ({ path: [...path, forged] }))],
    'another head before': [/does not follow from the one before it/, inclusion(() => ({ before: forged }))],
    'another block': [/has no root 1/, inclusion((json) => ({ anchor: { ...json.anchor, block: json.anchor.block + 1 } }))],
    'a later root changed': [/are not those that the contract took/, roots((items) => items.map((a) => a.sequence === 2 ? { ...a, root: forged } : a))],
    'a later root left out': [/makes no sense/, roots((items) => items.filter((a) => a.sequence !== 2))],
    'all later roots left out': [/does not publish it/, roots((items) => items.length === 1 ? [first] : items)],
  }
  for (const [what, [why, change, options]] of Object.entries(lies)) {
    const lying = await lyingNetwork(network, change)
    await fails(why, options, lying.url).catch((error) => { throw new Error(`${what}: ${error.message}`) })
    lying.stop()
  }

  // An endpoint that does not bear it out.
  const other = await Liar.start(chain, (method, _params, ask) => method === 'eth_getLogs' ? { result: [] } : ask())
  await fails(/has no root 1/, { rpc: other.url })
  other.change = (method, _params, ask) => method === 'eth_call' ? { result: toHex(0, { size: 128 }) } : ask()
  await fails(/the contract has 0 roots/, { rpc: other.url })
  other.change = (_method, params, ask) => params?.[0] === 'finalized' ? { result: { number: '0x1' } } : ask()
  await fails(/is the last final one/, { rpc: other.url }, undefined, 3)
  other.change = (method, _params, ask) => method === 'eth_chainId' ? ask() : { error: { code: -32601, message: 'not here' } }
  await fails(/eth_getLogs is not answered \(not here\)/, { rpc: other.url }, undefined, 3)
  await other.stop()
})

test('what the API says of the chain', async () => {
  const { contracts, publisher, chain_id, final } = await network.operator.get('/v1/chain')
  assert.deepEqual([contracts.Anchor.address, publisher, chain_id], [anchor, signer.address, 3338])
  assert.ok(final > 0)
  await network.operator.refused('GET', '/v1/anchors/999999', undefined, 404, 'not-found')
  await network.operator.refused('GET', '/v1/anchors/999999/leaves', undefined, 404, 'not-found')
  await network.operator.refused('GET', `/v1/inclusions/usage/${toHex(1, { size: 32 })}`, undefined, 404, 'not-found')
  await network.operator.refused('GET', '/v1/inclusions/usage/1', undefined, 404, 'not-found')
  await network.operator.refused('GET', '/v1/anchors?kind=other', undefined, 422, 'invalid-field')
  const somebody = await network.tenant(null)
  await somebody.refused('GET', '/v1/admin/chain', undefined, 403, 'denied')
})

test('a signer that is away: operators hear of it once, and when it is back; the record waits', async () => {
  await signer.stop()
  const before = (await problems()).length
  // Others, of an endpoint that a busy machine delays, may come between.
  const told = async () => (await problems()).slice(before).filter((e) => /signer/.test(e.data.problem))
  const one = { kind: 'usage', id: generatePrivateKey(), digest: generatePrivateKey() }
  addLeaves([one])
  await network.operator.refused('GET', `/v1/inclusions/usage/${one.id}`, undefined, 404, 'not-anchored')
  await until('the problem to be told', async () => (await told()).length > 0, 60000)
  await until('operators to see it', async () => /signer/.test((await health()).outbox.problem))
  // The next root waits until that one is in a block.
  const two = { kind: 'usage', id: generatePrivateKey(), digest: generatePrivateKey() }
  addLeaves([two])
  const none = await anchorVerify('usage', two.id)
  assert.match(none.said, /not anchored yet: the next root is due within 1 s/)
  assert.equal(none.code, 3)
  const unknown = await anchorVerify('usage', generatePrivateKey())
  assert.match(unknown.said, /recorded nothing of this id/)
  assert.equal(unknown.code, 3)
  await sleep(2500)
  assert.deepEqual((await told()).map((e) => [e.type, e.subject]), [['chain.problem', 'outbox']])
  assert.match((await told())[0].data.problem, /start `kaisar signer run`/)
  await signer.run()
  await until('the record to be anchored', async () =>
    (await network.operator.raw('GET', `/v1/inclusions/usage/${one.id}`)).json.anchor?.final, 60000)
  await until('the other, too', async () => (await anchorVerify('usage', two.id)).code === 0, 60000)
  await until('that all is well', async () => (await problems()).at(-1).type === 'chain.well')
  assert.equal((await told()).length, 1)
})

test('endpoints that hang hold up neither requests nor other jobs', async () => {
  liar.change = () => null
  await until('the chain to be away', async () => (await health()).endpoints[0].problem)
  const began = Date.now()
  for (let i = 0; i < 50; i++) {
    await network.operator.get('/v1/anchors')
    await health()
  }
  assert.ok(Date.now() - began < 10000, `100 requests took ${Date.now() - began} ms`)
  await network.server.kill()
  await network.startServer() // without the chain, too
  liar.change = honest
  await until('the chain to be back', async () => !(await health()).endpoints[0].problem, 90000)
})

test('another key is refused at the start, with the remedy', async () => {
  await signer.stop()
  const other = await Signer.start(chain, addresses, join(dir, 'other'), signer.path)
  await network.server.stop()
  const started = await network.startServer().catch((error) => error.message)
  assert.match(String(started), /the signer has another key than before/)
  await other.stop()
  await signer.run()
  await network.startServer()
})

test('a store that is younger than the key goes on behind what the key has recorded', async () => {
  const before = await anchors()
  await network.server.stop()
  const young = await Network.start({ anchor_every_ms: 500 }, network.options)
  const old = network
  network = young
  try {
    await young.operator.login()
    const one = { kind: 'audit', id: generatePrivateKey(), digest: generatePrivateKey() }
    addLeaves([one])
    await until('it to be anchored', async () => (await anchors())[0]?.final, 60000)
    assert.equal((await anchors())[0].sequence, before.length + 1)
  } finally {
    network = old
    await young.stop()
  }
})

test('options that make no chain are refused', async () => {
  const refused = async (options, why) => {
    const program = new Program('server', ['server', '--data', join(dir, 'none'), ...options])
    assert.equal((await program.ended).code, 2, program.output)
    assert.match(program.output, why)
  }
  await refused(['--chain-rpc', chain.url], /a chain needs --chain-rpc, --chain-addresses and --chain-signer/)
  await refused(['--chain-rpc', 'ftp://x', '--chain-addresses', addresses, '--chain-signer', 'x'], /http:/)
  await refused(['--chain-rpc', chain.url, '--chain-addresses', '/nowhere', '--chain-signer', 'x'], /No such file/)
  await refused(['--chain-rpc', chain.url, '--chain-addresses', bin, '--chain-signer', 'x'], /--chain-addresses/)
  await refused(['--chain-rpc', chain.url, '--chain-addresses', addresses, '--chain-signer', 'x', '--chain-id', '1'], /say --chain-id 3338/)
  await refused(['--chain-rpc', chain.url, '--chain-agree', '2', '--chain-addresses', addresses, '--chain-signer', 'x'], /chain-agree/)
})
