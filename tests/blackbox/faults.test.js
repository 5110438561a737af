// What breaks: images, commands, agents, the control plane, killed in every state of a rental. Nothing
// is lost or doubled, nothing is billed that could not be used, and every end has a reason. What an
// engine does to it is in engine_faults.test.js.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Network, demoImage, engineCall, sleep, until } from './lib/network.js'
import { Rentals, ends } from './lib/rentals.js'

let network, agent, tenant, rentals

before(async () => {
  network = await Network.start()
  agent = await network.worker()
  tenant = await network.tenant('100')
  rentals = new Rentals(network, tenant)
})
after(() => network?.stop())

const order = { image: demoImage, cpu_milli: 200, memory: '32MiB', disk: '256MiB' }
const stubborn = { ...order, stop_timeout_s: 2, command: ['/bin/sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'] }

const killAgent = () => agent.program.kill()
const killServer = () => network.server.kill()
const startAgent = () => network.runAgent(agent)
const startServer = () => network.startServer()

// Both at once, with nobody left to remember anything.
async function killBoth() {
  await Promise.all([killServer(), killAgent()])
}
async function startBoth() {
  startAgent()
  await startServer()
}

// Dies @delay ms behind the order, and again behind the stop.
async function killedTwice(delay, kill, start) {
  const rental = await rentals.order(order)
  await sleep(delay)
  await kill()
  await start()
  await rentals.is(rental.id, 'running', ...ends)
  await tenant.post(`/v1/rentals/${rental.id}/stop`, {}).catch(() => {})
  await sleep(delay)
  await kill()
  await start()
  await rentals.endsCleanly(rental.id)
}

test('an image that does not exist', async () => {
  const rental = await rentals.order({ ...order, image: 'localhost/kaisar/none:1' })
  await rentals.endsUnbilled(rental.id, /^image_not_found$/)
})

test('a registry that does not answer', async () => {
  const rental = await rentals.order({ ...order, image: 'localhost:1/kaisar/none:1' })
  await rentals.endsUnbilled(rental.id, /^pull_failed$/)
})

test('a command that does not exist', async () => {
  for (const command of ['/no/such/program', 'nosuch', '/etc/passwd']) {
    const rental = await rentals.order({ ...order, command: [command] })
    const ended = await rentals.endsUnbilled(rental.id, /^command_not_found$/)
    assert.equal(ended.caused_by, 'tenant')
    assert.equal(ended.attempts, 1, 'no other machine has it either')
  }
})

test('a container that exits at once', async () => {
  const rental = await rentals.order({ ...order, command: ['/bin/sh', '-c', 'exit 9'] })
  const ended = await rentals.is(rental.id, ...ends)
  assert.equal(ended.reason, 'exited')
  assert.equal(ended.exit_code, 9)
  assert.ok(ended.seconds <= 1, `billed ${ended.seconds} s`)
  await rentals.endsCleanly(rental.id)
})

test('an agent that is killed comes back and adopts its container', async () => {
  const rental = await rentals.order(order)
  await rentals.is(rental.id, 'running')
  const [first] = await rentals.containers(rental.id)
  await killAgent()
  await sleep(1500)
  startAgent()
  await rentals.fits(rental.id, (r) => r.seconds >= 2, 'metered again')
  assert.equal((await rentals.get(rental.id)).state, 'running')
  const [container] = await rentals.containers(rental.id)
  assert.equal(container.Id, first.Id, 'the same container')
  await sleep(1000)
  const ended = await rentals.endsCleanly(rental.id)
  assert.equal(ended.reason, 'stopped_by_tenant')
  assert.ok(ended.seconds >= 2, 'the time without the agent was used and is paid')
})

test('the control plane is killed: the container goes on, and so does everything afterwards', async () => {
  const rental = await rentals.order(order)
  await rentals.is(rental.id, 'running')
  const [first] = await rentals.containers(rental.id)
  await killServer()
  await sleep(2000)
  assert.equal((await rentals.containers(rental.id))[0].Id, first.Id, 'still running without a control plane')
  await startServer()
  const later = await rentals.fits(rental.id, (r) => r.seconds >= 3, 'metered again')
  assert.equal(later.state, 'running')
  await rentals.endsCleanly(rental.id)
})

test('kill -9 of the control plane in each state', async () => {
  for (const delay of [0, 10, 30, 60, 120, 250]) await killedTwice(delay, killServer, startServer)
})

test('kill -9 of the agent in each state', async () => {
  for (const delay of [0, 10, 30, 60, 120, 250]) await killedTwice(delay, killAgent, startAgent)
})

test('kill -9 of both at once in each state', async () => {
  for (const delay of [0, 40, 160]) await killedTwice(delay, killBoth, startBoth)
})

test('kill -9 of each and of both while the container is being stopped', async () => {
  for (const [kill, start] of [[killServer, startServer], [killAgent, startAgent], [killBoth, startBoth]]) {
    const rental = await rentals.order(stubborn)
    await rentals.is(rental.id, 'running')
    await tenant.post(`/v1/rentals/${rental.id}/stop`, {})
    await rentals.is(rental.id, 'stopping')
    await sleep(300)
    await kill()
    await start()
    await rentals.is(rental.id, 'stopped')
    const logs = tenant.socket(`/v1/rentals/${rental.id}/logs?follow=true`)
    await logs.next((line) => line.stream === 'system' && /did not end within 2 s of SIGTERM/.test(line.text))
    logs.close()
    const ended = await rentals.endsCleanly(rental.id)
    assert.equal(ended.reason, 'stopped_by_tenant')
  }
})

// The final record is made and signed with nobody there to take it, and its maker dies, too.
test('kill -9 just after the final usage record', async () => {
  const rental = await rentals.order({ ...order, command: ['/bin/sh', '-c', 'sleep 5.2'] })
  await rentals.is(rental.id, 'running')
  await killServer()
  await until('the container to end', async () => (await rentals.containers(rental.id))[0].State === 'exited', 60000)
  await sleep(400)
  await killAgent()
  await startBoth()
  const ended = await rentals.is(rental.id, ...ends)
  assert.equal(ended.reason, 'exited')
  const { seconds, ran } = await rentals.bill(rental.id)
  assert.ok(seconds >= 5, `billed ${seconds} s of ${ran} s`)
  await rentals.endsCleanly(rental.id)
})

test('kill -9 of both as soon as the end is known: the bill stays as it is', async () => {
  const rental = await rentals.order(order)
  await rentals.is(rental.id, 'running')
  await sleep(1200)
  await tenant.post(`/v1/rentals/${rental.id}/stop`, {})
  await rentals.is(rental.id, 'stopped')
  await killBoth()
  await startBoth()
  await rentals.endsCleanly(rental.id)
})

test('a container removed behind everybody\'s back', async () => {
  const rental = await rentals.order(order)
  await rentals.is(rental.id, 'running')
  const [container] = await rentals.containers(rental.id)
  await engineCall('DELETE', `/containers/${container.Id}?force=true`)
  const ended = await rentals.is(rental.id, ...ends)
  assert.match(ended.reason, /^(container_gone|exited|out_of_memory)$/)
  await rentals.endsCleanly(rental.id)
})

test('an agent that vanishes: the rental is lost after its grace, billed no further than was signed', async () => {
  const from = Date.now() // it cannot run for longer than from its order to its agent's death, however slow this machine
  const rental = await rentals.order(order)
  await rentals.is(rental.id, 'running')
  await sleep(1500)
  await killAgent()
  const most = Math.ceil((Date.now() - from) / 1000)
  const lost = await rentals.is(rental.id, 'lost')
  assert.equal(lost.reason, 'worker_lost')
  assert.equal(lost.caused_by, 'provider')
  const { seconds } = await rentals.bill(rental.id)
  assert.ok(seconds <= most, `billed ${seconds} s of at most ${most}`)
  await rentals.nothingHeld()
  const offers = await tenant.get('/v1/offers')
  assert.equal(offers.items.length, 0, 'what is silent is not offered')
  await tenant.refused('POST', '/v1/rentals', order, 409, 'no-capacity')
  // It comes back: what should not be there any more is removed, and nothing is charged for it.
  startAgent()
  await tenant.delete(`/v1/rentals/${rental.id}`)
  await until('the orphan to be removed', async () => (await rentals.containers(rental.id)).length === 0, 30000)
  const { seconds: still } = await rentals.bill(rental.id)
  assert.ok(still <= seconds + 5)
  await rentals.ledgerHolds()
})

test('a machine that never takes the rental up: retried elsewhere, unbilled', async () => {
  const other = await network.worker()
  await killAgent()
  // Pin the order's first try by price: the dead machine is cheaper while it still counts as online.
  await agent.provider.patch(`/v1/workers/${agent.machine}`, { core_hour: '0.001' })
  const rental = await rentals.order(order)
  const running = await rentals.fits(rental.id, (r) => ['running', ...ends].includes(r.state), 'running', 60000)
  assert.equal(running.state, 'running', JSON.stringify(running))
  assert.equal(running.machine, other.machine)
  startAgent()
  await rentals.endsCleanly(rental.id)
})
