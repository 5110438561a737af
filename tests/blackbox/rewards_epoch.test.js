// Epochs of rewards as a network closes them: published once, the same for ever, and recomputed by anybody.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { keccak256 } from 'viem'
import { Network, Program, until } from './lib/network.js'
import { recompute } from './lib/rewards.js'

const EPOCH_MS = 3000
const TOKEN = 10n ** 18n
const settings = { epoch_ms: EPOCH_MS, epoch_workers_tokens: 1001, epoch_checkers_tokens: 70000000000, rewards_ratio_basis_points: 3333,
  rewards_commission_basis_points: 0, rewards_max_stake_tokens: 5 }

let network, owner

before(async () => {
  network = await Network.start(settings)
  owner = await network.tenant(null)
})
after(() => network?.stop())

const epochs = async () => (await network.person().get('/v1/rewards?limit=100')).items
const closed = (least = 0) => until('an epoch to be closed', async () =>
  (await epochs()).findLast(({ epoch, state }) => state === 'closed' && epoch >= least))

async function text(path) {
  const answer = await network.person().raw('GET', path)
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
  return answer.text
}

async function kaisar(args, env = {}) {
  const program = new Program('kaisar', ['rewards', ...args], { KAISAR_URL: network.url, KAISAR_HOME: network.dir, ...env })
  const { code } = await program.ended
  return { code, stdout: program.stdout, output: program.output }
}

test('an epoch is a slot of time, and closes after its grace', async () => {
  const [now] = await epochs()
  const slot = Math.floor(Date.now() / EPOCH_MS)
  assert.ok(now.epoch === slot || now.epoch === slot - 1, `${now.epoch} ${slot}`)
  assert.equal(Date.parse(now.from), Math.floor(now.epoch * EPOCH_MS / 1000) * 1000)
  assert.equal(now.terms.worker_total, String(1001n * TOKEN))
  assert.equal(now.terms.checker_total, String(70000000000n * TOKEN))
  assert.equal(now.terms.max_stake, String(5n * TOKEN))
})

test('what is published is the whole truth, and anybody computes it again', async () => {
  const epoch = await closed()
  const records = await text(`/v1/rewards/${epoch.epoch}/records`), payouts = await text(`/v1/rewards/${epoch.epoch}/payouts`)
  assert.equal(recompute(records), payouts)
  assert.equal(epoch.result.records.keccak256, keccak256(Buffer.from(records)).slice(2))
  assert.equal(epoch.result.payouts.keccak256, keccak256(Buffer.from(payouts)).slice(2))
  assert.deepEqual([epoch.result.records.bytes, epoch.result.payouts.bytes], [records.length, payouts.length])
  assert.deepEqual([epoch.result.workers, epoch.result.checkers], [0, 0])
  // Nobody is there: every pot is left whole, and they add up to what was to be given out.
  const { capacity, delivery, checking } = epoch.result
  for (const pot of [capacity, delivery, checking]) assert.equal(pot.allotted, pot.unallotted)
  assert.equal(BigInt(capacity.allotted) + BigInt(delivery.allotted), 1001n * TOKEN)
  assert.equal(checking.allotted, String(70000000000n * TOKEN))
  const again = await kaisar(['recompute', String(epoch.epoch)])
  assert.equal(again.code, 0, again.output)
  assert.equal(again.stdout, payouts)
})

test('epochs that are open or unknown have no texts', async () => {
  const person = network.person()
  const open = (await epochs()).find(({ state }) => state === 'open')
  await person.refused('GET', `/v1/rewards/${open.epoch + 1}`, undefined, 404, 'not-found')
  await person.refused('GET', `/v1/rewards/${open.epoch + 1}/records`, undefined, 404, 'not-found')
  await person.refused('GET', `/v1/rewards/${2 ** 32}/payouts`, undefined, 404, 'not-found')
  await person.refused('GET', '/v1/rewards/07', undefined, 404, 'not-found')
  await person.refused('GET', '/v1/rewards/mine', undefined, 401, 'unauthenticated')
  await owner.refused('GET', '/v1/rewards/mine?cursor=1.1.1', undefined, 422, 'invalid-field', 'cursor')
  const answer = await person.raw('GET', `/v1/rewards/${open.epoch}/records`)
  // It may have been closed meanwhile.
  assert.ok(answer.status === 200 || answer.json.type === 'urn:kaisar:problem:epoch-not-closed', answer.text)
  assert.equal((await kaisar(['recompute', String(open.epoch + 1000)])).code, 3)
  assert.deepEqual((await owner.get('/v1/rewards/mine')).items, [])
})

test('pages go back to the first epoch', async () => {
  await closed()
  const all = await epochs()
  const seen = []
  for (let next = ''; next !== null;) {
    const page = await network.person().get(`/v1/rewards?limit=1${next && `&cursor=${next}`}`)
    seen.push(...page.items.map(({ epoch }) => epoch))
    next = page.next
  }
  assert.deepEqual(seen.slice(-all.length), all.map(({ epoch }) => epoch))
})

test('a killed network closes the epochs that it began, and changes none that it closed', async () => {
  const before = await closed()
  const digest = async () => createHash('sha256').update(await text(`/v1/rewards/${before.epoch}/payouts`)).digest('hex')
  const was = await digest()
  const open = (await epochs()).find(({ state }) => state !== 'closed')
  await network.server.kill()
  await network.startServer()
  const epoch = await closed(open.epoch)
  assert.equal((await kaisar(['recompute', String(epoch.epoch)])).code, 0)
  assert.equal(await digest(), was)
  assert.deepEqual(await network.person().get(`/v1/rewards/${before.epoch}`), before)
})

test('kaisar rewards list and show', async () => {
  const epoch = await closed()
  const list = await kaisar(['list', '--output', 'json'])
  assert.equal(list.code, 0, list.output)
  assert.ok(JSON.parse(list.stdout).some((e) => e.epoch === epoch.epoch && e.state === 'closed'))
  assert.match((await kaisar(['list'])).stdout, /^EPOCH +STATE/)
  const { key } = await owner.post('/v1/api-keys', { name: 'ci', permissions: ['account'] }, 201)
  const mine = await kaisar(['show', String(epoch.epoch), '--output', 'json'], { KAISAR_API_KEY: key })
  assert.equal(mine.code, 0, mine.output)
  assert.deepEqual(JSON.parse(mine.stdout), [])
  assert.equal((await kaisar(['show', String(epoch.epoch + 1000)])).code, 3)
  assert.equal((await kaisar(['show', String(epoch.epoch)])).code, 7)
  assert.equal((await kaisar(['show'])).code, 2)
})
