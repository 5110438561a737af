// Who did what: recorded, sealed, on the chain; and that nothing of it is changed unseen. On real anvil and the real
// contracts. What the network says is computed again with viem and OpenZeppelin's tree.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StandardMerkleTree } from '@openzeppelin/merkle-tree'
import { keccak256, toBytes, toHex } from 'viem'
import { Chain } from './lib/chain.js'
import { Signer, deployContracts } from './lib/deployment.js'
import { Network, Program, until } from './lib/network.js'

let dir, chain, signer, addresses, network, tenant, env

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-audit-')
  chain = await Chain.start()
  addresses = await deployContracts(chain, dir)
  signer = await Signer.start(chain, addresses, join(dir, 'signer'))
  network = await Network.start({ anchor_every_ms: 1000 },
    ['--chain-rpc', chain.url, '--chain-addresses', addresses, '--chain-signer', signer.path])
  await network.operator.login()
  env = await keyOf(network.operator, ['account', 'operator'])
  tenant = await network.tenant('5')
})
after(async () => {
  await network?.stop()
  await signer?.stop()
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

const keyOf = async (person, permissions) =>
  ({ KAISAR_API_KEY: (await person.post('/v1/api-keys', { name: 'audit', permissions }, 201)).key, KAISAR_HOME: join(dir, 'nobody') })

async function kaisar(args, environment = env, url = network.url) {
  const program = new Program(args.join(' '), [...args, '--url', url], environment)
  return { ...await program.ended, said: program.output }
}

function sql(...statements) {
  if (network.db)
    return execFileSync(join(process.env.KAISAR_TEST_POSTGRES_BIN, 'psql'), ['-q', network.db, '-c', statements.join(';')])
  const script = `import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30)
for s in sys.argv[2:]: db.execute(s)
db.commit()`
  return execFileSync('python3', ['-c', script, join(network.dir, 'server/kaisar.db'), ...statements])
}

const entries = async (person = network.operator, path = '/v1/admin/audit') => (await person.get(`${path}?limit=100`)).items
const digest = (text) => keccak256(toBytes(text))
const lines = (title, values) => [title, ...Object.entries(values).map(([name, value]) => `${name}: ${value}`), ''].join('\n')

function entryDigest({ entry, at_ms, actor, action, subject, owner, origin, detail }) {
  return digest(lines('Kaisar audit entry 1', { entry, at_ms, actor, action, subject, owner, origin, detail }))
}
function batchDigest({ network: of, number, before: previous, entries: n, root, sealed_at_ms }) {
  return digest(lines('Kaisar audit batch 1', { network: of, number, before: previous, entries: n, root, sealed_at_ms }))
}

const sealed = async (items = entries) => {
  await until('all entries to be sealed', async () => (await items()).every((e) => e.batch !== null))
}
const allFinal = () => until('every batch to be under a final root', async () => {
  if ((await entries()).some((e) => e.batch === null)) return false
  const { items } = await network.operator.get('/v1/admin/audit/batches?limit=100')
  for (const { id } of items)
    if (!(await network.operator.raw('GET', `/v1/inclusions/audit/${id}`)).json.anchor?.final) return false
  return true
}, 120000)

test('what is done is recorded once, with who did it, and shown to whom it concerns', async () => {
  const { id } = await tenant.post('/v1/api-keys', { name: 'one', permissions: ['rental.read'] }, 201)
  await tenant.delete(`/v1/api-keys/${id}`)
  for (const granted of [true, true, false])
    await network.operator.call('PUT', '/v1/admin/roles', { account: tenant.address, role: 'checker', granted }, 200)
  const credit = { account: tenant.address, amount: '1', key: 'once', memo: 'm' }
  for (let i = 0; i < 2; i++) await network.operator.post('/v1/admin/credits', credit, 201)
  const other = await network.tenant(null)
  const thief = await other.login()
  await other.post('/v1/auth/refresh', { refresh_token: thief.refresh_token })
  await other.refused('POST', '/v1/auth/refresh', { refresh_token: thief.refresh_token }, 401, 'refresh-token-invalid')
  await tenant.call('POST', '/v1/auth/logout', undefined, 204)
  await tenant.call('POST', '/v1/auth/logout', undefined, 204)

  const by = (kind, { address }) => `${kind} ${address}`
  const own = (await entries(tenant, '/v1/audit')).reverse()
  const operator = by('operator', network.operator), self = by('account', tenant)
  const first = own.find((e) => e.action === 'session.created')
  // Two of one millisecond are in no order.
  const said = (list) => list.map((words) => words.join(' ')).sort()
  assert.deepEqual(said(own.map((e) => [e.action, e.actor, e.detail.replace(/k0\.\d+/, 'k')])), said([
    ['session.created', self, '{}'],
    ['credit.given', operator, '{"amount":"5.0","key":"k"}'],
    ['api_key.created', self, '{"name":"one","permissions":["rental.read"]}'],
    ['api_key.deleted', self, '{}'],
    ['role.granted', operator, '{"role":"checker"}'],
    ['role.withdrawn', operator, '{"role":"checker"}'],
    ['credit.given', operator, '{"amount":"1.0","key":"once"}'],
    ['session.ended', self, '{}'],
  ]))
  assert.ok(own.every((e, i) => i === 0 || e.at_ms >= own[i - 1].at_ms))
  assert.ok(own.every((e) => e.owner === tenant.address))
  for (const e of own) {
    assert.equal(e.from !== null, e.actor === self, 'where an operator came from is not shown to others')
    if (e.from) assert.equal(e.origin, digest(lines('Kaisar audit origin 1', e.from)))
  }
  assert.equal(first.from.peer, '127.0.0.1')
  const all = await entries()
  const revoked = all.find((e) => e.action === 'session.revoked')
  assert.deepEqual([revoked.actor, revoked.owner, revoked.from.peer], ['network', other.address, '127.0.0.1'])
  assert.deepEqual(all.filter((e) => e.owner === tenant.address).map((e) => e.entry), own.map((e) => e.entry).reverse())

  await other.refused('GET', `/v1/audit/${first.entry}`, undefined, 404, 'not-found')
  await other.refused('GET', '/v1/admin/audit', undefined, 403, 'denied')
  await other.refused('GET', '/v1/admin/audit/batches', undefined, 403, 'denied')
  assert.equal((await network.operator.get(`/v1/audit/${first.entry}`)).entry.from.peer, '127.0.0.1')
  assert.deepEqual((await network.operator.get(`/v1/admin/audit?account=${tenant.address}&limit=100`)).items.map((e) => e.entry),
    own.map((e) => e.entry).reverse())
  const page = await tenant.get('/v1/audit?limit=3')
  assert.equal((await tenant.get(`/v1/audit?limit=3&cursor=${page.next}`)).items[0].entry, own.at(-4).entry)
  const late = (await tenant.get(`/v1/audit?since_ms=${own.at(-1).at_ms}`)).items
  assert.ok(late.length < own.length && late.every((e) => e.at_ms >= own.at(-1).at_ms), JSON.stringify(late))
})

test('each entry is in a batch that names the one before, and is a record on the chain', async () => {
  await allFinal()
  const { items } = await network.operator.get('/v1/admin/audit/batches?limit=100')
  let previous = toHex(0, { size: 32 })
  for (const [i, batch] of items.entries()) {
    assert.deepEqual([batch.number, batch.before, batch.network], [i + 1, previous, network.address])
    const all = (await network.operator.get(`/v1/admin/audit/batches/${batch.number}`)).entries
    const tree = StandardMerkleTree.of(all.map((e) => [entryDigest(e)]), ['bytes32'])
    assert.deepEqual([all.length, tree.root, batchDigest(batch)], [batch.entries, batch.root, batch.digest])
    for (const [leaf, e] of all.entries())
      assert.deepEqual((await network.operator.get(`/v1/audit/${e.entry}`)).path, tree.getProof(leaf))
    const id = toHex(batch.number, { size: 8 }) + '0'.repeat(48)
    const inclusion = await network.operator.get(`/v1/inclusions/audit/${id}`)
    assert.deepEqual([batch.id, inclusion.digest], [id, batch.digest])
    previous = batch.digest
  }
})

test('anybody checks an entry, from a file, too; whatever is changed in it is found', async () => {
  const [entry] = await entries(), file = join(dir, 'entry.json')
  const fails = (result, why) => { assert.match(result.said, why); assert.equal(result.code, 1, result.said) }
  const good = await kaisar(['audit', 'verify', '--save', file, '--rpc', chain.url, entry.entry])
  assert.equal(good.code, 0, good.said)
  assert.match(good.said, new RegExp(`${entry.entry} is in batch ${entry.batch} .*\\nOn chain 3338: under root`))
  const offline = await kaisar(['audit', 'verify', file], {}, 'http://127.0.0.1:1')
  assert.match(offline.said, /Not checked on the chain/)
  assert.equal(offline.code, 0, offline.said)
  const saved = JSON.parse(await readFile(file, 'utf8'))
  const changes = [
    ...['actor', 'action', 'subject', 'owner', 'origin', 'detail'].map((name) => [(p) => { p.entry[name] += '0' }, /is not in batch|not what it was recorded with/]),
    [(p) => { p.entry.at_ms += 1 }, /is not in batch/],
    [(p) => { p.entry.at = '2020-01-01T00:00:00Z' }, /times of .* differ/],
    [(p) => { p.entry.from.peer = '192.0.2.1' }, /not what it was recorded with/],
    [(p) => { p.entry.subject += '\nowner: me' }, /malformed/],
    [(p) => { p.batch.sealed_at_ms += 1 }, /not what its digest says/],
    [(p) => { p.batch.root = p.batch.digest }, /not what its digest says/],
    [(p) => { p.batch.id = p.batch.digest }, /not what its digest says/],
    [(p) => { p.path.push(p.batch.root) }, /is not in batch/],
    [(p) => { p.entry.batch += 1 }, /names another batch/],
  ]
  for (const [change, why] of changes) {
    const copy = structuredClone(saved)
    change(copy)
    await writeFile(file, JSON.stringify(copy))
    fails(await kaisar(['audit', 'verify', file]), why)
  }
  // One that adds up and was never anchored.
  const forged = structuredClone(saved)
  forged.entry.actor = 'network'
  forged.path = []
  forged.batch.entries = 1
  forged.batch.root = StandardMerkleTree.of([[entryDigest(forged.entry)]], ['bytes32']).root
  forged.batch.digest = batchDigest(forged.batch)
  await writeFile(file, JSON.stringify(forged))
  assert.equal((await kaisar(['audit', 'verify', file])).code, 0)
  fails(await kaisar(['audit', 'verify', '--rpc', chain.url, file]), /another record of this id/)
})

test('operators check the whole log: rows that are changed or removed are found', async () => {
  await allFinal()
  await network.tenant(null)
  await allFinal()
  const walk = (...more) => kaisar(['admin', 'audit', ...more])
  const good = await walk('--rpc', chain.url)
  assert.equal(good.code, 0, good.said)
  assert.match(good.said, /\d+ batches, \d+ entries: all as they were sealed.\nOn chain 3338: \d+ of them, under the \d+ roots of batches there; 0 wait/)
  const { items } = await network.operator.get('/v1/admin/audit/batches?limit=100')
  assert.ok(items.length >= 2)
  const last = items.at(-1)
  const blob = (hex) => network.db ? `'\\x${hex.slice(2)}'` : `x'${hex.slice(2)}'`
  const astray = { ...last, before: toHex(7, { size: 32 }) }
  const cases = [
    [[`UPDATE audit_batches SET before = ${blob(astray.before)}, digest = ${blob(batchDigest(astray))} WHERE number = ${last.number}`],
      /does not follow from the one before/],
    [["UPDATE audit_entries SET detail = '{\"a\":1}' WHERE batch = 1"], /entries of batch 1 are not those/],
    [[`UPDATE audit_entries SET batch = NULL WHERE batch = 1`], /batch 1 was sealed with \d+ entries, and has 0/],
    [['UPDATE audit_batches SET number = 1000 WHERE number = 1'], /batch 1 is missing/],
    [['UPDATE audit_batches SET sealed_at = sealed_at + 1 WHERE number = 1'], /batch 1 is not what its digest says/],
  ]
  const table = (name) => [`DROP TABLE IF EXISTS ${name}_kept`, `CREATE TABLE ${name}_kept AS SELECT * FROM ${name}`]
  const back = (name) => [`DELETE FROM ${name}`, `INSERT INTO ${name} SELECT * FROM ${name}_kept`]
    // Nothing is done meanwhile that is recorded.
  sql(...table('audit_entries'), ...table('audit_batches'))
  for (const [lie, why] of cases) {
    sql(...lie)
    const found = await walk()
    sql(...back('audit_entries'), ...back('audit_batches'))
    assert.match(found.said, why)
    assert.equal(found.code, 1)
  }
  // The end is cut off, so that what is left adds up: the chain has more.
  sql(`DELETE FROM audit_entries WHERE batch = ${last.number}`, `DELETE FROM audit_batches WHERE number = ${last.number}`)
  assert.equal((await walk()).code, 0)
  const cut = await walk('--rpc', chain.url)
  sql(...back('audit_entries'), ...back('audit_batches'))
  assert.match(cut.said, /batches that the log has not|the log has \d+ of them/)
  assert.equal(cut.code, 1)
  // The first batch is made anew, and all behind it: only the chain tells.
  sql("UPDATE audit_entries SET detail = '{}', subject = 'other' WHERE batch = 1")
  // Makes these batches anew from the entries that they have now.
  async function seal(batches, previous) {
    for (const batch of batches) {
      const all = (await network.operator.get(`/v1/admin/audit/batches/${batch.number}`)).entries
      const forged = { ...batch, before: previous, root: StandardMerkleTree.of(all.map((e) => [entryDigest(e)]), ['bytes32']).root }
      previous = batchDigest(forged)
      sql(`UPDATE audit_batches SET before = ${blob(forged.before)}, root = ${blob(forged.root)}, digest = ${blob(previous)} WHERE number = ${batch.number}`)
    }
  }
  await seal(items, toHex(0, { size: 32 }))
  const anew = [await walk(), await walk('--rpc', chain.url)]
  sql(...back('audit_entries'), ...back('audit_batches'))
  assert.equal(anew[0].code, 0, anew[0].said)
  assert.match(anew[1].said, /another record of this id/)
  assert.equal(anew[1].code, 1)
  assert.equal((await walk('--rpc', chain.url)).code, 0)

  // From a root on all are made anew, and the network anchors them once more: what the chain had before tells.
  const rootOf = async ({ id }) => (await network.operator.get(`/v1/inclusions/audit/${id}`)).anchor.sequence
  const first = await rootOf(items[0])
  let from = 1
  while (await rootOf(items[from]) === first) from++
  const again = items.slice(from)
  sql(`UPDATE audit_entries SET subject = 'other' WHERE batch = ${again[0].number}`)
  await seal(again, batchDigest(items[from - 1]))
  sql(`DELETE FROM chain_leaves WHERE id IN (${again.map(({ id }) => blob(id)).join(', ')})`,
    `UPDATE audit_batches SET taken = 0 WHERE number >= ${again[0].number}`)
  await allFinal()
  const remade = await walk('--rpc', chain.url)
  assert.match(remade.said, /batch \d+ is under root \d+ as the network says, and on the chain the next root of batches is another: those before were made anew/)
  assert.equal(remade.code, 1)
})

test('a network without a chain seals all the same, and says that it anchors nothing', async () => {
  const plain = await Network.start()
  try {
    await plain.operator.login()
    const key = await keyOf(plain.operator, ['account', 'operator'])
    await sealed(() => entries(plain.operator))
    const [entry] = await entries(plain.operator)
    const offline = await kaisar(['audit', 'verify', entry.entry], key, plain.url)
    assert.match(offline.said, /is in batch \d+ [^]*Not anchored: this network has no chain/)
    assert.equal(offline.code, 0, offline.said)
    const asked = await kaisar(['audit', 'verify', '--rpc', chain.url, entry.entry], key, plain.url)
    assert.match(asked.said, /not anchored: this network has no chain/)
    assert.equal(asked.code, 1)
    const all = await kaisar(['admin', 'audit'], key, plain.url)
    assert.match(all.said, /all as they were sealed.\nNot anchored/)
    assert.equal(all.code, 0, all.said)
    assert.notEqual((await kaisar(['admin', 'audit', '--rpc', chain.url], key, plain.url)).code, 0)
    const list = await kaisar(['audit', 'list'], key, plain.url)
    assert.match(list.said, /session\.created[^]*BATCH|BATCH[^]*session\.created/)
  } finally {
    await plain.stop()
  }
})
