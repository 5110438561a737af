// Checkers as users: a test container is deployed on an idle machine, and they talk to it. On an engine of the
// test's own, whose containers are killed and which dies.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Network, demoImage, engineCall, sleep, until } from './lib/network.js'
import { Engine } from './lib/engine.js'

const slow = 120000
const settings = {
  proof_required: 1, panel_registration: 3, panel_standing: 3, panel_least: 3, beacon_slot_ms: 1000,
  proof_standby_ms: 3600000, proof_planted_ms: 0, proof_retry_ms: 1000, proof_bandwidth_ms: 0,
  proof_probe_ms: 1000, probe_deadline_ms: 15000, offline_after_ms: 10000, lost_after_ms: 60000,
}
let dir, engine, network, agent, tenant, from

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-prb-')
  engine = new Engine(join(dir, 'engine'))
  await engine.start()
  await engine.demoImage()
  network = await Network.start(settings, ['--probe-image', demoImage])
  for (let i = 0; i < 3; i++) await network.checker()
  agent = await network.worker({ socket: engine.socket })
  tenant = await network.tenant('10')
})
after(async () => {
  try {
    await network?.stop()
  } finally {
    await engine?.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

const probes = async () => (await network.person().get(`/v1/probes?machine=${agent.machine}&limit=100`)).items
const host = async () => (await agent.provider.get(`/v1/workers/${agent.machine}`)).devices.find((d) => d.kind === 'host')
const offered = async () => (await tenant.get('/v1/offers?gpus=0')).items.length === 1
const containers = () => engineCall('GET', `/containers/json?all=true&filters=${encodeURIComponent('{"label":["kaisar.lease"]}')}`, engine.socket)

// The first probe that began after now and ended like this.
async function ends(outcome) {
  const known = new Set((await probes()).map((p) => p.id))
  return until(`a probe that is ${outcome}`, async () => (await probes()).find((p) => !known.has(p.id) && p.outcome === outcome), slow)
}

async function nothingWasCharged() {
  const ledger = await network.operator.get('/v1/admin/ledger')
  assert.equal(ledger.balanced, true, JSON.stringify(ledger))
  assert.equal(Number(ledger.fees), 0)
  assert.equal(Number((await tenant.get('/v1/balance')).available), 10)
  const earnings = await agent.provider.get('/v1/earnings')
  assert.deepEqual([Number(earnings.earned), earnings.items], [0, []])
}

test('a healthy machine answers its checkers', async () => {
  const probe = await ends('passed')
  assert.equal(probe.detail, '')
  assert.equal(probe.gpus, 0)
  assert.equal(probe.answers.length, 3)
  assert.ok(probe.answers.filter((a) => a.passed).length >= 2)
  assert.equal((await host()).state, 'proved')
})

test('it leaves nothing: no container, no rental in a list, no money moved', async () => {
  await until('its containers to be gone', async () => (await containers()).length === 0)
  for (const person of [tenant, agent.provider, network.operator, network.checkers[0].owner])
    assert.deepEqual((await person.get('/v1/rentals')).items, [])
  await nothingWasCharged()
})

test('a machine whose containers die at once fails, and is not offered until one answers', async () => {
  let killing = true
  const killer = (async () => {
    for (; killing; await sleep(20))
      for (const container of await containers())
        await engineCall('POST', `/containers/${container.Id}/kill`, engine.socket)
  })().catch(() => {})
  const probe = await ends('failed')
  assert.notEqual(probe.detail, '')
  await until('it not to be offered', async () => !(await offered()), slow)
  const seen = await host()
  assert.equal(seen.state, 'failed')
  assert.match(seen.reason, /a test container did not answer/)
  // Sessions alone do not bring it back.
  await ends('failed')
  assert.equal(await offered(), false)
  killing = false
  await killer
  await ends('passed')
  await until('it to be offered again', offered, slow)
  await nothingWasCharged()
})

test('a control plane that is killed says so of the probes that went on', async () => {
  await until('a probe', async () => (await containers()).length > 0, slow)
  await network.server.kill()
  await network.startServer()
  await until('it to be said', async () => (await probes()).some((p) => p.outcome === 'interrupted'), slow)
  await ends('passed')
})

test('a machine whose engine is down fails', async () => {
  await engine.kill()
  const probe = await ends('failed')
  assert.notEqual(probe.detail, '')
  assert.equal((await host()).state, 'failed')
  assert.equal(await offered(), false)
  await engine.start()
  await ends('passed')
  await until('its containers to be gone', async () => (await containers()).length === 0)
  await nothingWasCharged()
})

test('a tenant who wants the whole machine has it at once, and ends the probe', async () => {
  await until('it to be offered', offered, slow)
  const [whole] = (await tenant.get('/v1/offers?gpus=0')).items
  const probe = await until('a probe to yield', async () => {
    await until('a probe', async () => (await containers()).length > 0, slow)
    const known = new Set((await probes()).map((p) => p.id))
    const [offer] = (await tenant.get('/v1/offers?gpus=0')).items
    assert.deepEqual([offer.cpu_milli_free, offer.memory_free_bytes], [whole.cpu_milli_free, whole.memory_free_bytes])
    const { id } = await tenant.post('/v1/rentals', {
      image: demoImage, command: ['sleep', '600'], stop_timeout_s: 1, cpu_milli: offer.cpu_milli_free, memory: offer.memory_free_bytes,
    }, 201)
    const is = (state) => until(`the rental to be ${state}`, async () => {
      const rental = await tenant.get(`/v1/rentals/${id}`)
      assert.notEqual(rental.state, 'failed', JSON.stringify(rental))
      return rental.state === state && rental
    }, slow)
    const { lease } = await is('running')
    await until('it to be alone', async () => (await containers()).every((c) => c.Labels['kaisar.lease'] === lease), slow)
    await tenant.post(`/v1/rentals/${id}/stop`, {})
    await is('stopped')
    await tenant.delete(`/v1/rentals/${id}`)
    return (await probes()).find((p) => !known.has(p.id) && p.outcome === 'yielded')
  }, slow)
  assert.equal(probe.detail, 'a tenant rented what it held')
  assert.equal((await host()).state, 'proved')
  await ends('passed')
})
