// Whatever changes something through the API leaves an entry in the audit log, in whose deed it was; what is refused
// leaves none. A route that the contract has and this table has not fails.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { contract } from './lib/contract.js'
import { Network, demoImage, until } from './lib/network.js'

// Which action it leaves; null: none, and why. in: the test that shows it, which needs a chain or a VPN.
const deeds = {
  'POST /v1/auth/nonce': { action: null, why: 'nobody is anybody yet' },
  'POST /v1/auth/login': { action: 'session.created' },
  'POST /v1/auth/refresh': { action: null, why: 'the session goes on' },
  'POST /v1/auth/logout': { action: 'session.ended' },
  'POST /v1/api-keys': { action: 'api_key.created' },
  'DELETE /v1/api-keys/{key}': { action: 'api_key.deleted' },
  'PUT /v1/admin/roles': { action: 'role.granted' },
  'POST /v1/admin/credits': { action: 'credit.given' },
  'POST /v1/withdrawals': { action: 'withdrawal.asked', in: 'chain_billing.test.js' },
  'POST /v1/workers/tokens': { action: 'join_token.created' },
  'POST /v1/workers/join': { action: 'worker.joined' },
  'PATCH /v1/workers/{machine}': { action: 'worker.changed' },
  'DELETE /v1/workers/{machine}': { action: 'worker.removed' },
  'POST /v1/checkers': { action: 'checker.added' },
  'DELETE /v1/checkers/{checker}': { action: 'checker.removed' },
  'PUT /v1/admin/checkers/{checker}': { action: 'checker.licensed' },
  'POST /v1/vpn': { action: 'vpn.admitted', in: 'vpn.test.js' },
  'PUT /v1/admin/vpn/{machine}': { action: 'vpn.added', in: 'vpn.test.js' },
  'POST /v1/admin/vpn/{machine}/revoke': { action: 'vpn.revoked', in: 'vpn.test.js' },
  'POST /v1/admin/vpn/{machine}/restore': { action: 'vpn.restored', in: 'vpn.test.js' },
  'POST /v1/proofs/{proof}/appeal': { action: 'appeal.asked' },
  'POST /v1/admin/rewards/roots/{kind}': { action: 'root.replaced', in: 'chain_payouts.test.js' },
  'POST /v1/rentals': { action: 'rental.created' },
  'POST /v1/rentals/{rental}/stop': { action: 'rental.stopped' },
  'DELETE /v1/rentals/{rental}': { action: 'rental.removed' },
}
const slow = 120000
let network, agent, tenant, checkers

before(async () => {
  network = await Network.start({
    panel_registration: 3, panel_standing: 3, panel_least: 3, beacon_slot_ms: 1000, proof_standby_ms: 3600000,
    proof_planted_ms: 0, proof_retry_ms: 1000, proof_bandwidth_ms: 0, offline_after_ms: 10000, lost_after_ms: 60000,
  })
  agent = await network.worker()
  tenant = await network.tenant('10')
  checkers = []
  for (let i = 0; i < 3; i++) checkers.push(await network.checker())
})
after(() => network?.stop())

const entries = async (person) => (await person.get('/v1/audit?limit=100')).items

// Does it, and holds that exactly one more entry of the action is there, of @subject, by @actor.
async function leaves(route, { of, subject, actor }, deed) {
  const { action } = deeds[route]
  const count = async () => (await entries(of)).filter((e) => e.action === action)
  const before_ = new Set((await count()).map((e) => e.entry))
  const answer = await deed()
  const more = (await count()).filter((e) => !before_.has(e.entry))
  assert.deepEqual(more.map((e) => [e.subject, e.actor]), [[subject ?? answer.id, actor ?? `account ${of.address}`]], route)
  return answer
}

test('every route that changes something is known here, and those that need more are shown elsewhere', () => {
  const routes = Object.entries(contract.paths).flatMap(([path, operations]) => Object.keys(operations)
    .filter((method) => ['post', 'put', 'patch', 'delete'].includes(method)).map((method) => `${method.toUpperCase()} ${path}`))
  assert.deepEqual(routes.sort(), Object.keys(deeds).sort())
  for (const { action, in: file } of Object.values(deeds).filter((deed) => deed.in))
    assert.ok(readFileSync(new URL(file, import.meta.url), 'utf8').includes(`'${action}'`), `${file} tests ${action}`)
})

test('sessions, keys, roles and credits', async () => {
  const person = network.person()
  await person.login()
  assert.deepEqual((await entries(person)).map((e) => e.action), ['session.created'])
  const { id } = await leaves('POST /v1/api-keys', { of: person }, () =>
    person.post('/v1/api-keys', { name: 'one', permissions: ['rental.read'] }, 201))
  await leaves('DELETE /v1/api-keys/{key}', { of: person, subject: id }, () => person.delete(`/v1/api-keys/${id}`))
  const operator = { of: person, subject: person.address, actor: `operator ${network.operator.address}` }
  await leaves('PUT /v1/admin/roles', operator, () =>
    network.operator.call('PUT', '/v1/admin/roles', { account: person.address, role: 'checker', granted: true }, 200))
  await leaves('POST /v1/admin/credits', operator, () =>
    network.operator.post('/v1/admin/credits', { account: person.address, amount: '1', key: 'k1', memo: '' }, 201))
  const known = (await entries(person)).length
  await person.refused('POST', '/v1/api-keys', { name: 'x', permissions: ['no.such'] }, 422, 'invalid-field', 'permissions')
  await person.refused('PUT', '/v1/admin/roles', { account: person.address, role: 'operator', granted: true }, 403, 'denied')
  assert.equal((await entries(person)).length, known, 'what is refused is no deed')
  const session = (await entries(person)).find((e) => e.action === 'session.created').subject
  const again = network.person()
  again.account = person.account
  again.address = person.address
  await again.login()
  await leaves('POST /v1/auth/logout', { of: again, subject: session }, () => person.call('POST', '/v1/auth/logout', undefined, 204))
})

test('checkers, their licences, and appeals', async () => {
  const [{ owner, address }] = checkers
  const actions = (await entries(owner)).filter((e) => e.subject === address).map((e) => [e.action, e.actor])
  assert.deepEqual(actions.sort(), [
    ['checker.added', `account ${owner.address}`], ['checker.licensed', `operator ${network.operator.address}`]])
  const passed = await until('a session that passed', async () =>
    (await tenant.get(`/v1/proofs?machine=${agent.machine}&outcome=passed`)).items[0], slow)
  await tenant.post(`/v1/proofs/${passed.id}/appeal`, {}, 403)
  assert.equal((await entries(tenant)).some((e) => e.action === 'appeal.asked'), false)
  await leaves('POST /v1/proofs/{proof}/appeal', { of: agent.provider, subject: passed.id }, () =>
    agent.provider.post(`/v1/proofs/${passed.id}/appeal`, {}, 202))
  const fresh = await network.checker({ licences: 0 })
  await fresh.program.stop()
  await leaves('DELETE /v1/checkers/{checker}', { of: fresh.owner, subject: fresh.address }, () =>
    fresh.owner.delete(`/v1/checkers/${fresh.address}`))
})

test('machines and rentals', async () => {
  const { provider, machine } = agent
  const joined = (await entries(provider)).find((e) => e.action === 'worker.joined')
  assert.deepEqual([joined.subject, joined.actor, joined.owner], [machine, `machine ${machine}`, provider.address])
  await leaves('POST /v1/workers/tokens', { of: provider }, () => provider.post('/v1/workers/tokens', { name: 'rack' }, 201))
  await leaves('PATCH /v1/workers/{machine}', { of: provider, subject: machine }, () =>
    provider.patch(`/v1/workers/${machine}`, { core_hour: '1.8' }))
  const order = { image: demoImage, cpu_milli: 100, memory: '32MiB', disk: '64MiB', command: ['sleep', '600'], stop_timeout_s: 1 }
  const { id } = await leaves('POST /v1/rentals', { of: tenant }, () => tenant.post('/v1/rentals', order, 201))
  await leaves('POST /v1/rentals/{rental}/stop', { of: tenant, subject: id }, () => tenant.post(`/v1/rentals/${id}/stop`, {}))
  await tenant.post(`/v1/rentals/${id}/stop`, {})
  await until('it to end', async () => (await tenant.get(`/v1/rentals/${id}`)).state === 'stopped', slow)
  await leaves('DELETE /v1/rentals/{rental}', { of: tenant, subject: id }, () => tenant.delete(`/v1/rentals/${id}`))
  assert.equal((await entries(tenant)).filter((e) => e.action === 'rental.stopped').length, 1, 'twice is once')
  await agent.program.stop()
  await leaves('DELETE /v1/workers/{machine}', { of: provider, subject: machine }, () => until('it to be removed', async () =>
    (await provider.raw('DELETE', `/v1/workers/${machine}`)).status === 204, slow))
})
