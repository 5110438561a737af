// What breaks: images, agents, the control plane, killed in every state of a rental. Nothing is lost or
// doubled, nothing is billed that could not be used, and every end has a reason.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Network, containersOf, demoImage, sleep, until } from './lib/network.js'
import { checkBill } from './lib/bill.js'

let network, agent, tenant

before(async () => {
  network = await Network.start()
  agent = await network.worker()
  tenant = await network.tenant('100')
})
after(() => network?.stop())

const order = { image: demoImage, cpu_milli: 200, memory: '32MiB', disk: '256MiB' }
const ends = ['stopped', 'failed', 'lost']

async function get(id) {
  return tenant.get(`/v1/rentals/${id}`)
}

async function reaches(id, fits, what, timeoutMs = 40000) {
  let last
  return until(`${id} to be ${what}`, async () => {
    last = await get(id)
    return fits(last) && last
  }, timeoutMs).catch((error) => { throw new Error(`${error.message}; is ${JSON.stringify(last)}`) })
}

const is = (...states) => [(r) => states.includes(r.state), states.join(' or ')]

async function ledgerHolds() {
  const ledger = await network.operator.get('/v1/admin/ledger')
  assert.equal(ledger.balanced, true, JSON.stringify(ledger))
}

async function endsCleanly(id) {
  if (!ends.includes((await get(id)).state)) await tenant.post(`/v1/rentals/${id}/stop`, {})
  const ended = await reaches(id, ...is(...ends))
  assert.ok(ended.reason, JSON.stringify(ended))
  const bill = await tenant.get(`/v1/bills/${id}`)
  await checkBill(bill, network.address)
  assert.ok((await containersOf(id)).length <= 1, 'never two containers for one rental')
  await tenant.delete(`/v1/rentals/${id}`)
  await until('the container to be gone', async () => (await containersOf(id)).length === 0, 30000)
  await ledgerHolds()
  return ended
}

test('an image that does not exist', async () => {
  const rental = await tenant.post('/v1/rentals', { ...order, image: 'localhost:1/kaisar/none:1' }, 201)
  const ended = await reaches(rental.id, ...is('failed'))
  assert.match(ended.reason, /image_not_found|pull_failed/)
  assert.equal(ended.charged, '0.0')
  assert.equal((await tenant.get('/v1/balance')).held, '0.0')
  assert.ok(ended.detail.length > 5, 'in the engine\'s words')
  const { items } = await tenant.get(`/v1/rentals/${rental.id}/history`)
  assert.ok(items.every((move) => move.to !== 'running'))
})

test('a command that does not exist', async () => {
  const rental = await tenant.post('/v1/rentals', { ...order, command: ['/no/such/program'] }, 201)
  const ended = await reaches(rental.id, ...is('failed', 'stopped'))
  assert.match(ended.reason, /start_failed|create_failed|exited/)
  assert.equal(ended.charged, '0.0')
})

test('an agent that is killed comes back and adopts its container', async () => {
  const rental = await tenant.post('/v1/rentals', order, 201)
  await reaches(rental.id, ...is('running'))
  const [before_] = await containersOf(rental.id)
  await agent.program.kill()
  await sleep(1500)
  network.runAgent(agent)
  await sleep(2500)
  const after_ = await get(rental.id)
  assert.equal(after_.state, 'running')
  const [container] = await containersOf(rental.id)
  assert.equal(container.Id, before_.Id, 'the same container')
  const ended = await endsCleanly(rental.id)
  assert.equal(ended.reason, 'stopped_by_tenant')
  assert.ok(ended.seconds >= 4, 'the time without the agent was used and is paid')
})

test('the control plane is killed: the container goes on, and so does everything afterwards', async () => {
  const rental = await tenant.post('/v1/rentals', order, 201)
  await reaches(rental.id, ...is('running'))
  const [before_] = await containersOf(rental.id)
  await network.server.kill()
  await sleep(3000)
  assert.equal((await containersOf(rental.id))[0].Id, before_.Id, 'still running without a control plane')
  await network.startServer()
  const later = await reaches(rental.id, (r) => r.seconds >= 4, 'metered again')
  assert.equal(later.state, 'running')
  await endsCleanly(rental.id)
})

test('kill -9 of the control plane in each state', async () => {
  for (const delay of [0, 5, 15, 30, 60, 120, 250]) {
    const rental = await tenant.post('/v1/rentals', order, 201)
    await sleep(delay)
    await network.server.kill()
    await network.startServer()
    await reaches(rental.id, ...is('running', ...ends))
    await tenant.post(`/v1/rentals/${rental.id}/stop`, {}).catch(() => {})
    await sleep(delay)
    await network.server.kill()
    await network.startServer()
    const ended = await endsCleanly(rental.id)
    assert.ok(ended.attempts <= 3)
  }
})

test('kill -9 of the agent in each state', async () => {
  for (const delay of [0, 10, 30, 60, 120, 250]) {
    const rental = await tenant.post('/v1/rentals', order, 201)
    await sleep(delay)
    await agent.program.kill()
    network.runAgent(agent)
    await reaches(rental.id, ...is('running', ...ends))
    await tenant.post(`/v1/rentals/${rental.id}/stop`, {}).catch(() => {})
    await sleep(delay)
    await agent.program.kill()
    network.runAgent(agent)
    await endsCleanly(rental.id)
  }
})

test('a container removed behind everybody\'s back', async () => {
  const { engineCall } = await import('./lib/network.js')
  const rental = await tenant.post('/v1/rentals', order, 201)
  await reaches(rental.id, ...is('running'))
  const [container] = await containersOf(rental.id)
  await engineCall('DELETE', `/containers/${container.Id}?force=true`)
  const ended = await reaches(rental.id, ...is(...ends))
  assert.match(ended.reason, /container_gone|exited/)
  await endsCleanly(rental.id)
})

test('an agent that vanishes: the rental is lost after its grace, billed no further than was signed', async () => {
  const rental = await tenant.post('/v1/rentals', order, 201)
  await reaches(rental.id, ...is('running'))
  await sleep(1500)
  await agent.program.kill()
  const lost = await reaches(rental.id, ...is('lost'))
  assert.equal(lost.reason, 'worker_lost')
  assert.equal(lost.caused_by, 'provider')
  const { seconds } = await checkBill(await tenant.get(`/v1/bills/${rental.id}`), network.address)
  assert.ok(seconds <= 5, `billed ${seconds} s of at most 5`)
  assert.equal((await tenant.get('/v1/balance')).held, '0.0')
  const offers = await tenant.get('/v1/offers')
  assert.equal(offers.items.length, 0, 'what is silent is not offered')
  await tenant.refused('POST', '/v1/rentals', order, 409, 'no-capacity')
  // It comes back: what should not be there any more is removed, and nothing is charged for it.
  network.runAgent(agent)
  await tenant.delete(`/v1/rentals/${rental.id}`)
  await until('the orphan to be removed', async () => (await containersOf(rental.id)).length === 0, 30000)
  const { seconds: still } = await checkBill(await tenant.get(`/v1/bills/${rental.id}`), network.address)
  assert.ok(still <= seconds + 5)
  await ledgerHolds()
})

test('a machine that never takes the rental up: retried elsewhere, unbilled', async () => {
  const other = await network.worker()
  await agent.program.kill()
  // Pin the order's first try by price: the dead machine is cheaper while it still counts as online.
  await agent.provider.patch(`/v1/workers/${agent.machine}`, { core_hour: '0.001' })
  const rental = await tenant.post('/v1/rentals', order, 201)
  const running = await reaches(rental.id, ...is('running', ...ends), 60000)
  assert.equal(running.state, 'running', JSON.stringify(running))
  assert.equal(running.machine, other.machine)
  network.runAgent(agent)
  await endsCleanly(rental.id)
})
