// A container engine that dies under the agent, and a registry that is slow: on an engine of the
// test's own, with kill -9 before a start, while it pulls, and while containers run.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Network, demoImage, sleep, until } from './lib/network.js'
import { Engine } from './lib/engine.js'
import { Registry } from './lib/registry.js'
import { Rentals, ends } from './lib/rentals.js'

let dir, engine, registry, network, agent, tenant, rentals, pulled

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-eng-')
  engine = new Engine(join(dir, 'engine'))
  registry = await Registry.start()
  await engine.start()
  // The engine reads its registries when it pulls.
  await engine.allow(`${engine.host}:${registry.port}`)
  await engine.demoImage()
  network = await Network.start({ pull_deadline_ms: 15000 })
  agent = await network.worker({ socket: engine.socket })
  tenant = await network.tenant('100')
  rentals = new Rentals(network, tenant, engine.socket)
  pulled = { ...order, image: `${engine.host}:${registry.port}/present:1`, stop_timeout_s: 1 }
})
after(async () => {
  try {
    await network?.stop()
  } finally {
    await registry?.stop()
    await engine?.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

const order = { image: demoImage, cpu_milli: 200, memory: '32MiB', disk: '256MiB' }

async function machineIs(state) {
  await until(`the machine to be ${state}`, async () => (await agent.provider.get(`/v1/workers/${agent.machine}`)).state === state)
}

// An order whose pull hangs in the middle of its layer.
async function pulling() {
  registry.renew()
  registry.open = false
  registry.asked = 0
  await engine.call('DELETE', `/images/${pulled.image}?force=true`)
  const rental = await rentals.order(pulled)
  await until('the registry to be asked', () => registry.asked > 0, 15000)
  await rentals.is(rental.id, 'pulling')
  return rental.id
}

test('an image that the registry does not have', async () => {
  const rental = await rentals.order({ ...order, image: `${engine.host}:${registry.port}/absent:1` })
  const ended = await rentals.endsUnbilled(rental.id, /^image_not_found$/)
  assert.equal(ended.caused_by, 'tenant')
})

test('a slow pull shows how far it is, and then runs', async () => {
  const id = await pulling()
  await rentals.fits(id, (r) => /pulled \d+ of \d+ bytes/.test(r.detail), 'told to be under way')
  registry.open = true
  await rentals.is(id, 'running')
  await rentals.endsCleanly(id)
})

test('kill -9 of control plane and agent during a pull', async () => {
  for (const kill of [
    async () => { await network.server.kill(); await network.startServer() },
    async () => { await agent.program.kill(); network.runAgent(agent) },
  ]) {
    const id = await pulling()
    await kill()
    registry.open = true
    await rentals.is(id, 'running')
    await rentals.endsCleanly(id)
  }
})

test('kill -9 of the engine during a pull: pulled again when it is back', async () => {
  const id = await pulling()
  await engine.kill()
  registry.open = true
  await engine.start()
  await rentals.is(id, 'running')
  await rentals.endsCleanly(id)
})

test('a pull that is stopped by its tenant ends at once', async () => {
  const id = await pulling()
  const stopped = await tenant.post(`/v1/rentals/${id}/stop`, {})
  assert.ok(['stopping', 'stopped'].includes(stopped.state))
  await rentals.endsUnbilled(id, /^stopped_by_tenant$/)
  registry.open = true
  await rentals.endsCleanly(id)
})

test('a pull that never ends', async () => {
  const id = await pulling()
  await rentals.endsUnbilled(id, /^pull_timeout$/)
  registry.open = true
  await rentals.endsCleanly(id)
})

test('kill -9 of the engine before a start', async () => {
  for (const delay of [0, 40, 80, 160]) {
    const { id } = await rentals.order(order)
    await sleep(delay)
    await engine.kill()
    await sleep(200)
    await engine.start()
    await rentals.is(id, 'running', ...ends)
    await rentals.endsCleanly(id)
    await machineIs('online')
  }
})

test('an engine that hangs: the order ends with a reason, unbilled, and leaves nothing', async () => {
  await engine.hang()
  const { id } = await rentals.order(order)
  await rentals.endsUnbilled(id, /^(place_timeout|engine_down)$/)
  await engine.resume()
  await rentals.endsCleanly(id)
  await machineIs('online')
})

test('an engine that stays away: nothing is offered, nothing is taken', async () => {
  await engine.kill()
  await machineIs('offline')
  await tenant.refused('POST', '/v1/rentals', order, 409, 'no-capacity')
  await rentals.nothingHeld()
  await engine.start()
  await machineIs('online')
})

test('kill -9 of the engine while a container runs: it goes on, and is metered by its own time', async () => {
  const { id } = await rentals.order(order)
  await rentals.is(id, 'running')
  const [first] = await rentals.containers(id)
  await engine.kill()
  await sleep(2000)
  assert.equal((await rentals.get(id)).state, 'running')
  await engine.start()
  await machineIs('online')
  assert.equal((await rentals.containers(id))[0].Id, first.Id)
  await rentals.fits(id, (r) => r.seconds >= 3, 'metered again')
  const ended = await rentals.endsCleanly(id)
  assert.equal(ended.reason, 'stopped_by_tenant')
})

test('a container whose removal was cut hides no other: it goes, and they run on', async () => {
  const [torn, other] = [await rentals.order(order), await rentals.order(order)]
  for (const { id } of [torn, other]) await rentals.is(id, 'running')
  const [[lost], [kept]] = [await rentals.containers(torn.id), await rentals.containers(other.id)]
  await engine.kill()
  await engine.tear(lost.Id)
  await engine.start()
  const ended = await rentals.is(torn.id, ...ends)
  assert.equal(ended.reason, 'container_gone')
  await machineIs('online')
  assert.equal((await rentals.get(other.id)).state, 'running')
  assert.equal((await rentals.containers(other.id))[0].Id, kept.Id)
  for (const { id } of [torn, other]) await rentals.endsCleanly(id)
})

test('kill -9 of engine, agent and control plane at once while a container runs', async () => {
  const { id } = await rentals.order(order)
  await rentals.is(id, 'running')
  await Promise.all([engine.kill(), agent.program.kill(), network.server.kill()])
  await sleep(500)
  await engine.start()
  network.runAgent(agent)
  await network.startServer()
  await machineIs('online')
  assert.equal((await rentals.get(id)).state, 'running')
  await rentals.endsCleanly(id)
})
