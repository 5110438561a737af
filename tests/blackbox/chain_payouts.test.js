// Rewards on the chain: what epochs' payouts come to is paid by the contract, once, to the last unit, whatever becomes of
// the control plane and of the chain. On real anvil and the real contracts.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StandardMerkleTree } from '@openzeppelin/merkle-tree'
import { getAddress, keccak256, parseEther, stringToHex, toFunctionSelector, toHex } from 'viem'
import { Chain, Liar } from './lib/chain.js'
import { Signer, deployContracts } from './lib/deployment.js'
import { Network, Program, sleep, until } from './lib/network.js'
import { Random } from './lib/random.js'

const abiOf = async (name) => JSON.parse(await readFile(new URL(`../../contracts/abi/${name}.json`, import.meta.url), 'utf8'))
const EPOCH_MS = 4000, HOUR_MS = 2000, TOKEN = 10n ** 18n
const kinds = ['liquid', 'vested']
let dir, chain, signer, network, distributor, kai, vested, env, holder

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-chain-')
  // Three blocks are reorganised below: they must not be final yet.
  chain = await Chain.start({ finalAfter: 4 })
  signer = await Signer.create(join(dir, 'signer'))
  const addresses = await deployContracts(chain, dir, (p) => ({
    ...p, distributor: { publisher: signer.address, guardian: 'deployer', delay_s: 3 },
  }))
  await signer.serve(chain, addresses, ({ Distributor }, usual) => ({
    propose: { contract: Distributor.address, ...usual, max_gas: 400000, units_per_day: String(20000n * TOKEN) },
    activate: { contract: Distributor.address, ...usual, max_gas: 400000 },
  }))
  const { contracts } = JSON.parse(await readFile(addresses, 'utf8'))
  distributor = { address: contracts.Distributor.address, abi: await abiOf('Distributor') }
  kai = { address: contracts.Token.address, abi: await abiOf('Token') }
  vested = { address: contracts.VestedToken.address, abi: kai.abi }
  await write(kai, 'approve', [distributor.address, 2n ** 200n])
  await write(distributor, 'fund', [0, 10000n * TOKEN])
  network = await Network.start({ epoch_ms: EPOCH_MS, watch_hour_ms: HOUR_MS, epoch_workers_tokens: 1001, epoch_checkers_tokens: 77,
    anchor_every_ms: 1000, chain_again_ms: 2000, chain_refuse_ms: 2000, chain_alarm_ms: 300 },
  ['--chain-rpc', chain.url, '--chain-addresses', addresses, '--chain-signer', signer.path])
  await network.operator.login()
  // A checker's owner with a wallet of their own.
  env = { KAISAR_URL: network.url, KAISAR_HOME: join(dir, 'home'), KAISAR_PASSWORD: 'secret', KAISAR_RPC: chain.url, KAISAR_ADDRESSES: addresses }
  holder = (await kaisar(['wallet', 'create', '--light'])).trim().toLowerCase()
  await chain.setBalance(holder, parseEther('1'))
})
after(async () => {
  await network?.stop()
  await signer?.stop()
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

const read = (functionName, args, contract = distributor) => chain.public.readContract({ ...contract, functionName, args })
async function write(contract, functionName, args) {
  const hash = await chain.rich.writeContract({ ...contract, functionName, args })
  const receipt = await chain.public.waitForTransactionReceipt({ hash })
  assert.equal(receipt.status, 'success', `${functionName} failed`)
}
// What the program says on standard output; with another @code than 0, all that it says.
async function kaisar(args, code = 0, more = {}) {
  const program = new Program('kaisar', args, { ...env, ...more })
  const end = await program.ended
  assert.equal(end.code, code, program.output)
  return code === 0 ? program.stdout : program.output
}
const rewards = async (...args) => JSON.parse(await kaisar(['rewards', ...args, '--output', 'json']))
const pot = (kind) => read('potOf', [kinds.indexOf(kind)])

// Rows as the modules write them.
function put(rows) {
  const values = (row) => row.map((v) => v === null ? 'NULL' : typeof v === 'number' ? v
    : /^0x/.test(v) ? (network.db ? `'\\x${v.slice(2)}'` : `x'${v.slice(2)}'`) : `'${v}'`)
  const sql = rows.map(([table, row]) =>
    `INSERT INTO ${table} (${Object.keys(row)}) VALUES (${values(Object.values(row))}) ON CONFLICT DO NOTHING;`).join('\n')
  if (network.db)
    execFileSync(join(process.env.KAISAR_TEST_POSTGRES_BIN, 'psql'), ['-q', '-v', 'ON_ERROR_STOP=1', network.db], { input: `BEGIN;\n${sql}\nCOMMIT;` })
  else
    execFileSync('python3', ['-c', 'import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], timeout=30)\ndb.executescript("BEGIN;" + sys.stdin.read() + "COMMIT;")',
      join(network.dir, 'server/kaisar.db')], { input: sql })
}

// A machine that was up for some hours of the epoch that is open now, and a checker with valid sessions in it.
function machine(epoch, id, owner, hours) {
  const first = epoch.epoch * EPOCH_MS / HOUR_MS, checker = `0x${'c0'.repeat(20)}`
  return [
    ['workers', { machine: id, owner, name: 'rig', paused: 0, gpu_hour: 0, core_hour: 0, quality: 500, joined_at: 1, lost: 0, agent_version: '',
      revision: 0, generation: 0, cpu_count: 64, cpu_model: '', os: '', kernel: '', engine: '', gpus: 0, cpu_milli_total: 64000, cpu_milli_used: 0,
      memory_total: 1, memory_used: 0, disk_total: 1, disk_used: 0, leases: 0, address: '' }],
    ...Array.from({ length: hours }, (_, i) => [
      ['proof_hours', { machine: id, hour: first + i, drawn: 1, state: 1, down_kbps: 900999, up_kbps: 700999, cores: 64, gpu_milli: 0, disk_bytes: 10 ** 12, memory_bytes: 10 ** 11 }],
      ['proof_uptimes', { machine: id, hour: first + i, checker, polls: 20, answered: 20, signature: checker }],
    ]).flat(),
  ]
}

// Its account owns the two licences that it has.
function marks(epoch, id, account, valid) {
  return [
    ...[1, 2].flatMap((licence) => [
      ['checker_licences', { licence, owner: account, mint_id: dice.hex(32), unlocked_at: 0, machine: id, accepted: 1 }],
      ['checker_stakes', { licence, from_ms: 1, until_ms: '9223372036854775807', machine: id, owner: account }],
    ]),
    ['checkers', { checker: id, account, name: 'c', licences: 2, registered_at: 1, version: '', banned_until: 0, ban_reason: '' }],
    ...Array.from({ length: valid }, (_, i) => ['checker_marks', { checker: id, session: dice.hex(16), at: epoch.epoch * EPOCH_MS + 1 + i, mark: 1, planted: 0, cleared: 0 }]),
  ]
}

const dice = new Random('payouts')
const epochs = async () => (await network.person().get('/v1/rewards?limit=100')).items

// What happens, happens in one epoch; gives its number.
async function during(rows) {
  for (;;) {
    const slot = Math.floor(Date.now() / EPOCH_MS), left = (slot + 1) * EPOCH_MS - Date.now()
    const open = left > 1500 && (await epochs()).find((e) => e.epoch === slot && e.state === 'open')
    if (open) {
      put(rows(open))
      return slot
    }
    await sleep(Math.min(left + 50, 500))
  }
}

// What all published payouts through an epoch, but one, come to.
async function sums(kind, through, without) {
  const total = new Map()
  for (const { epoch, state } of await epochs()) {
    if (state !== 'closed' || epoch > through || epoch === without) continue
    let of = null
    for (const line of (await network.person().raw('GET', `/v1/rewards/${epoch}/payouts`)).text.split('\n')) {
      const words = line.split(' ')
      if (words[0] === 'worker' || words[0] === 'checker') of = words[0] === 'worker' ? 'liquid' : 'vested'
      const at = { worker: [2, 5], checker: [2, 4], delegator: [1, 2] }[words[0]]
      if (at && of === kind) total.set(words[at[0]], (total.get(words[at[0]]) ?? 0n) + BigInt(words[at[1]]))
    }
  }
  return new Map([...total].filter(([, units]) => units > 0n).sort())
}

// The tree that anyone builds of what is published.
const treeOf = (kind, leaves, contract = distributor.address) => StandardMerkleTree.of([...leaves].map(([account, units]) => [3338n, contract, kinds.indexOf(kind), account, units]),
  ['uint256', 'address', 'uint8', 'address', 'uint256'])

const roots = async (kind) => (await network.person().get(`/v1/rewards/roots?kind=${kind}&limit=100`)).items
const inEffect = (kind, through) => until(`a ${kind} root through epoch ${through} to be in effect`, async () =>
  (await roots(kind)).find((r) => r.state === 'active' && r.through >= through), 120000)
const problem = async () => (await network.operator.get('/v1/admin/chain')).payouts.problem ?? ''
const standing = async (kind, account) => (await network.person().get(`/v1/rewards/accounts/${account}`)).items.find((i) => i.kind === kind)

async function claim(kind, account) {
  const { active } = await pot(kind)
  const { cumulative, path, root } = await network.person().get(`/v1/rewards/roots/${kind}/${active.epoch}/proofs/${account}`)
  assert.equal(root.root, active.root)
  await write(distributor, 'claim', [kinds.indexOf(kind), account, BigInt(cumulative), path])
  return BigInt(cumulative)
}

// A node whose clock is behind ours, and which tells of a root that takes effect between the two.
const potOf = toFunctionSelector('potOf(uint8)')
async function slowClock(method, params, ask) {
  const answer = await ask(), now = Math.floor(Date.now() / 1000)
  if (method === 'eth_getBlockByNumber' && params[0] === 'latest')
    return { ...answer, result: { ...answer.result, timestamp: toHex(now - 2000) } }
  if (method !== 'eth_call' || !params[0].data.startsWith(potOf)) return answer
  const words = answer.result.slice(2).match(/.{64}/g), word = (value) => toHex(value, { size: 32 }).slice(2)
  const pending = ['ab'.repeat(32), words[3], word(BigInt(`0x${words[4]}`) + 1n), word(now - 1000)]
  return { ...answer, result: `0x${[...words.slice(0, 6), ...pending].join('')}` }
}

// Stands before the control plane and changes what it says.
async function lyingNetwork(change) {
  const server = createServer(async (request, response) => {
    const answer = await fetch(network.url + request.url)
    const text = await answer.text()
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') })
    response.end(change.text ? change.text(text, request.url) : JSON.stringify(change(JSON.parse(text))))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => { server.closeAllConnections(); server.close() } }
}

// How recomputing an epoch ends where the network lies: with @words, or (null) without a difference.
async function lied(text, words, epoch, ...options) {
  const lying = await lyingNetwork({ text })
  try {
    const output = await kaisar(['rewards', 'recompute', String(epoch), ...options], words ? 1 : 0, { KAISAR_URL: lying.url })
    if (words) assert.ok(output.includes(words), output)
  } finally {
    lying.stop()
  }
}

const owners = Array.from({ length: 4 }, () => dice.hex(20)), machines = owners.map(() => dice.hex(20))
const checker = dice.hex(20)
let first

test('what an epoch comes to is proposed, put in effect and paid, once', async () => {
  first = await during((epoch) => [...machine(epoch, machines[0], owners[0], 2), ...machine(epoch, machines[1], owners[1], 1),
    ...marks(epoch, checker, holder, 3)])
  const { root, round, total, through } = await inEffect('liquid', first)
  const expected = await sums('liquid', through), tree = treeOf('liquid', expected)
  assert.equal(expected.size, 2)
  assert.equal(root, tree.root)
  assert.deepEqual([BigInt(total), round], [[...expected.values()].reduce((a, b) => a + b), 1])
  const { active } = await pot('liquid')
  assert.deepEqual([active.root, Number(active.epoch), active.total], [root, 1, BigInt(total)])

  const [owner, units] = [...expected][0]
  assert.equal((await standing('liquid', owner)).claimable, String(units))
  assert.equal(await claim('liquid', owner), units)
  assert.equal(await read('balanceOf', [owner], kai), units)
  await assert.rejects(claim('liquid', owner), /NothingToClaim/)
  // Anybody claims for anybody: with the program, which has the account paid once.
  const [other, more] = [...expected][1]
  assert.equal((await rewards('show', '--account', other))[0].claimable, String(more))
  assert.deepEqual((await rewards('list', '--account', other)).map((e) => [e.kind, e.amount]), [['liquid', String(more)]])
  const lying = await lyingNetwork((json) => json.cumulative ? { ...json, cumulative: String(BigInt(json.cumulative) + 1n) } : json)
  assert.match(await kaisar(['rewards', 'claim', '--account', other], 1, { KAISAR_URL: lying.url }), /does not lead to the contract's liquid root 1: nothing was sent/)
  lying.stop()
  // A root whose time has come by our clock, and not by the chain's: the one before it is in effect.
  const slow = await Liar.start(chain, slowClock)
  try {
    const done = await kaisar(['rewards', 'claim', '--account', other, '--output', 'json'], 0, { KAISAR_RPC: slow.url })
    assert.equal(JSON.parse(done).length, 1)
  } finally {
    await slow.stop()
  }
  assert.equal(await read('balanceOf', [other], kai), more)
  assert.deepEqual(await rewards('claim', '--account', other), [])
  await until('the claim to be known', async () => {
    const { claimed, claimable } = await standing('liquid', owner)
    return claimed === String(units) && claimable === '0'
  })
  await network.person().refused('GET', `/v1/rewards/roots/liquid/1/proofs/${holder}`, undefined, 404, 'not-found')
  // The epoch is anchored, too: its payouts' text names that of the records.
  const payouts = (await network.person().raw('GET', `/v1/rewards/${first}/payouts`)).text
  const id = stringToHex(`epoch-${first}`, { size: 32 })
  const anchored = await until('the epoch to be anchored', async () =>
    (await network.person().raw('GET', `/v1/inclusions/payouts/${id}`)).json.anchor && network.person().get(`/v1/inclusions/payouts/${id}`), 60000)
  assert.equal(anchored.digest, keccak256(Buffer.from(payouts)))
})

test('a pot with too little in it is a problem that names the units', async () => {
  const said = await until('the problem', async () => /vested: the pot lacks/.test(await problem()) && await problem(), 60000)
  const [, units, contract] = said.match(/fund\(1, (\d+)\) of the distributor (0x[0-9a-fA-F]{40})/)
  const expected = await sums('vested', first)
  // Who delegated the licences has the commission of it.
  const records = (await network.person().raw('GET', `/v1/rewards/${first}/records`)).text
  assert.match(records, new RegExp(`checker ${checker} ${holder} 2000 3 0 ok\ndelegator ${holder} 2000\n`))
  assert.equal(contract, distributor.address)
  assert.deepEqual([...expected], [[holder, 77n * TOKEN]])
  assert.equal(BigInt(units), 77n * TOKEN)
  assert.equal((await pot('vested')).pending.effectiveAt, 0n)
  await write(distributor, 'fund', [1, BigInt(units)])
})

test('a root that the guardian withdraws waits for an operator, who may take off what is not to be paid', async () => {
  await until('the root to be proposed', async () => (await pot('vested')).pending.effectiveAt !== 0n, 60000)
  await write(distributor, 'dispute', [1, 1n])
  const said = await until('the problem', async () => /vested: the guardian withdrew root 1/.test(await problem()) && await problem(), 60000)
  assert.match(said, /kaisar admin replace-root --reason TEXT vested/)
  await until('operators to be told', async () => (await network.operator.get('/v1/events?limit=100')).items.some((e) =>
    e.type === 'chain.problem' && e.subject === 'payouts' && e.data.problem.includes('the guardian withdrew root 1')))
  const replace = (body) => ['POST', '/v1/admin/rewards/roots/vested', body]
  const reason = 'paid elsewhere'
  await network.operator.refused(...replace({ less: { [holder]: String(77n * TOKEN + 1n) }, reason }), 422, 'invalid-field', 'less')
  await network.operator.refused(...replace({ less: { [owners[0]]: '1' }, reason }), 422, 'invalid-field', 'less')
  await network.operator.refused('POST', '/v1/admin/rewards/roots/liquid', { reason }, 409, 'root-not-withdrawn')
  const { key } = await network.operator.post('/v1/api-keys', { name: 'ci', permissions: ['operator'] }, 201)
  await kaisar(['admin', 'replace-root', 'vested', '--reason', reason, '--less', `${holder}=${7n * TOKEN}`], 0, { KAISAR_API_KEY: key })
  const deeds = (await network.operator.get('/v1/admin/audit?limit=100')).items.filter((e) => e.action === 'root.replaced')
  assert.deepEqual(deeds.map((e) => [e.subject, e.actor, e.detail]),
    [['vested/1/1', `operator ${network.operator.address}`, `{"less":1,"reason":"${reason}"}`]])
  await inEffect('vested', first)
  const root = await network.person().get('/v1/rewards/roots/vested/1')
  assert.deepEqual([root.attempt, root.total, root.corrections.map((c) => [c.account, c.less, c.reason])],
    [2, String(70n * TOKEN), [[getAddress(holder), String(7n * TOKEN), reason]]])
  assert.equal((await pot('vested')).active.root, treeOf('vested', [[holder, 70n * TOKEN]]).root)
  assert.match((await rewards('claim'))[0].amount, /^70.0 vKAI$/)
  assert.equal(await read('balanceOf', [holder], vested), 70n * TOKEN)
  await until('all to be well', async () => !await problem())
})

test('vKAI becomes KAI over time', async () => {
  assert.match(await kaisar(['rewards', 'unlock', '40', '--over', '30'], 2), /40.0 vKAI would be given up for 10.0 KAI.*say --yes/s)
  assert.match(await kaisar(['rewards', 'unlock', '71', '--over', '30', '--yes'], 5), /has 70.0 vKAI, less than 71\.0 vKAI; `kaisar rewards claim`/)
  assert.match(await kaisar(['rewards', 'unlock', '40', '--over', '31', '--yes'], 2), /must be 30, 90 or 180/)
  assert.deepEqual(await rewards('release'), [])
  const before = (await pot('vested')).funded
  assert.equal((await rewards('unlock', '40', '--over', '30', '--yes')).payout, '10.0 KAI')
  assert.equal((await pot('vested')).funded - before, 30n * TOKEN)
  assert.equal(await read('balanceOf', [holder], vested), 30n * TOKEN)
  const [grant] = await rewards('grants')
  assert.deepEqual([grant.from, grant.id, grant.amount, grant.released], ['unlock', '0', '10.0', '0.0'])
  // However many others there are, whose they may be: the contract says which are the account's.
  await write(distributor, 'grant', [owners[3], 5n, BigInt(Math.floor(Date.now() / 1000)), 0n, 1n])
  await write(distributor, 'grant', [holder, 7n * TOKEN, BigInt(Math.floor(Date.now() / 1000)), 0n, 1000000n])
  const count = toFunctionSelector('grantCount()')
  const many = await Liar.start(chain, (method, params, ask) => method === 'eth_call' && params[0].data === count ? { result: toHex(100000, { size: 32 }) } : ask())
  try {
    const own = JSON.parse(await kaisar(['rewards', 'grants', '--output', 'json'], 0, { KAISAR_RPC: many.url }))
    assert.deepEqual(own.map((g) => [g.from, g.id, g.amount]), [['unlock', '0', '10.0'], ['grant', '1', '7.0']])
  } finally {
    await many.stop()
  }
  assert.deepEqual((await rewards('grants', '--id', '1')).map((g) => [g.from, g.id]), [['grant', '1']])
  assert.deepEqual(await rewards('grants', '--id', '9'), [])
  await sleep(1500)
  assert.equal((await rewards('release', '--id', '0')).length, 1)
  assert.ok(await read('balanceOf', [holder], kai) > 0n)
})

test('epochs add up, whatever is killed and reorganised', async () => {
  let last
  for (let i = 0; i < 2; i++) {
    last = await during((epoch) => [1, 2, 3].slice(i).flatMap((m) => machine(epoch, machines[m], owners[m], 1 + dice.below(2))))
    await until('the next epoch', () => Date.now() > (last + 1) * EPOCH_MS)
  }
  await until('a root of them', async () => (await roots('liquid'))[0]?.round > 1, 60000)
  for (let i = 0; i < 3; i++) {
    await sleep(dice.below(3000))
    await network.server.kill()
    await chain.call('anvil_reorg', [3, []])
    await network.startServer()
  }
  const { root, round, through, total } = await inEffect('liquid', last)
  const expected = await sums('liquid', through)
  assert.equal(expected.size, 4)
  assert.equal(root, treeOf('liquid', expected).root)
  const text = (await network.person().raw('GET', `/v1/rewards/roots/liquid/${round}/leaves`)).text
  assert.equal(text, `kaisar reward leaves 1\nchain 3338\ndistributor ${distributor.address.toLowerCase()}\nkind liquid\nround ${round}\n` +
    `through ${through}\ntotal ${total}\n${[...expected].map(([account, units]) => `${account} ${units}\n`).join('')}end\n`)
  for (const [account, units] of expected) {
    if (BigInt((await standing('liquid', account)).claimable) > 0n) await claim('liquid', account)
    assert.equal(await read('balanceOf', [account], kai), units)
  }
  const { funded, claimed, active } = await pot('liquid')
  assert.deepEqual([claimed, active.total], [BigInt(total), BigInt(total)])
  assert.equal(await read('balanceOf', [distributor.address], kai), funded - claimed + (await pot('vested')).funded - 70n * TOKEN + await read('totalGranted'))
  // Each root was proposed once, in order.
  const events = await chain.public.getContractEvents({ ...distributor, eventName: 'RootActive', fromBlock: 0n })
  const rounds = events.filter((e) => e.args.kind === 0).map((e) => Number(e.args.epoch))
  assert.deepEqual(rounds, rounds.map((_, i) => i + 1))
  // Anybody recomputes the root, with a node of their own; what is wrong with it is found.
  const recompute = (code, more) => kaisar(['rewards', 'recompute', String(last), '--rpc', chain.url], code, more)
  assert.equal(await recompute(0), (await network.person().raw('GET', `/v1/rewards/${last}/payouts`)).text)
  const lies = {
    'is not that of its leaves': (text) => text.replace(/"root":"0x[0-9a-f]{64}"/g, `"root":"0x${'11'.repeat(32)}"`),
    'is wrong': (text) => text.replace('\nround ', '\nround 0'),
    'is not that of its leaves, for a total that is another': (text) => text.replace(/\ntotal \d+/, '\ntotal 1'),
  }
  for (const [words, text] of Object.entries(lies)) await lied(text, words.split(',')[0], last, '--rpc', chain.url)
  // An epoch that was left out, of a network that made its root of what it liked.
  await lied((text) => text.replace(`"epoch":${last},"state":"closed"`, `"epoch":${last + 100000},"state":"closed"`),
    `leaves out epochs ${last} to `, last)
  // What an account earned, epoch by epoch.
  const { items } = await network.person().get(`/v1/rewards/accounts/${owners[1]}/epochs?limit=100`)
  assert.equal(items.reduce((sum, { amount }) => sum + BigInt(amount), 0n), expected.get(owners[1]))
})

// What a network says that has made a root of other sums, wherever it is asked.
const forged = (kind, round, through, sums, row = {}, contract = distributor.address) => (text, url) =>
  url.endsWith(`/roots/${kind}/${round}/leaves`)
    ? `kaisar reward leaves 1\nchain 3338\ndistributor ${contract.toLowerCase()}\nkind ${kind}\nround ${round}\nthrough ${through}\n` +
      `total ${[...sums.values()].reduce((a, b) => a + b)}\n${[...sums].map(([account, units]) => `${account} ${units}\n`).join('')}end\n`
    : url.endsWith(`/roots/${kind}/${round}`) ? JSON.stringify({ ...JSON.parse(text), root: treeOf(kind, sums, contract).root, ...row }) : text

test('a network whose books agree with each other and not with the contract is found out', async () => {
  const [{ round, through }] = (await roots('liquid')).filter((r) => r.state === 'active')
  const expected = await sums('liquid', through), at = ['--rpc', chain.url]
  const [account, units] = [...expected][0]
  const less = new Map(expected).set(account, units - 1n)
  const corrections = [{ attempt: 1, account, less: '1', reason: 'because', at: '2026-11-23T00:00:00Z' }]
  // It is not proposed yet, or is in effect, as it likes: what pays is another.
  for (const row of [{ state: 'made', block: null, transaction: null, corrections }, { corrections }]) {
    await lied(forged('liquid', round, through, less, row), `liquid root ${round} is not what the contract has`, through, ...at)
    await lied(forged('liquid', round, through, less, row), null, through)
  }
  // One that does not pay any more was another, too; nodes say so for as many blocks at a time as they like.
  await kaisar(['rewards', 'recompute', String(first), '--addresses', env.KAISAR_ADDRESSES], 2)
  const short = await Liar.start(chain, (method, _params, ask) => method === 'eth_getLogs' ? { result: [] } : ask())
  try {
    assert.match(await kaisar(['rewards', 'recompute', String(first), '--rpc', short.url], 1), /no log of liquid root 1, .*keeps all logs/)
  } finally {
    await short.stop()
  }
  const node = await Liar.start(chain, (method, [what], ask) => method === 'eth_getLogs' && BigInt(what.toBlock) - BigInt(what.fromBlock) > 40n
    ? { error: { code: -32602, message: 'at most 40' } } : ask())
  assert.ok(round > 1)
  const [old] = (await roots('liquid')).filter((r) => r.round === 1), sumsOfOld = await sums('liquid', old.through)
  try {
    await kaisar(['rewards', 'recompute', String(first), '--rpc', node.url])
    await lied(forged('liquid', 1, old.through, new Map(sumsOfOld).set(owners[0], sumsOfOld.get(owners[0]) - 1n),
      { corrections: [{ ...corrections[0], account: owners[0] }] }), 'liquid root 1 is not what the contract has', first, '--rpc', node.url)
  } finally {
    await node.stop()
  }
  // A contract of its own.
  const own = '0x' + '12'.repeat(20)
  await lied(forged('liquid', round, through, expected, {}, own), `is for the contract ${getAddress(own)}`, through, ...at)
  // A root that it does not tell of.
  await lied((text, url) => url.startsWith('/v1/rewards/roots?') && url.includes('liquid')
    ? JSON.stringify({ items: JSON.parse(text).items.filter((i) => i.round < round), next: null }) : text,
  `the contract has liquid root ${round}, and the network's last is ${round - 1}`, through, ...at)
  // An epoch with rewards that no root has.
  const before = (await roots('liquid')).find((r) => r.round === round - 1)
  const between = (await epochs()).map((e) => e.epoch).filter((e) => e > before.through && e <= through)
  const total = (all) => [...all.values()].reduce((a, b) => a + b)
  const left = (await Promise.all(between.map(async (epoch) => ({ epoch, sums: await sums('liquid', through, epoch) }))))
    .find((l) => total(l.sums) < total(expected))
  const rest = forged('liquid', round, through, left.sums)
  const without = (text, url) => url.startsWith('/v1/rewards?')
    ? JSON.stringify({ items: JSON.parse(text).items.filter((i) => i.epoch !== left.epoch), next: null }) : rest(text, url)
  await lied(without, `leaves out epochs ${left.epoch} to ${left.epoch}`, left.epoch)
  await lied(without, null, left.epoch, '--gaps')
  await lied(without, 'is not what the contract has', left.epoch, '--gaps', ...at)
})
