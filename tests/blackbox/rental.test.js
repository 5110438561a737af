// A tenant rents a container on a provider's machine, uses it, stops it, and recomputes the bill:
// the main job, through the API only.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Network, containersOf, demoImage, until } from './lib/network.js'
import { checkBill } from './lib/bill.js'

let network, agent, tenant

before(async () => {
  network = await Network.start()
  agent = await network.worker({ coreHour: '3.6' })
  tenant = await network.tenant('10')
})
after(() => network?.stop())

const order = { image: demoImage, cpu_milli: 500, memory: '64MiB', disk: '256MiB' }

async function reaches(id, ...states) {
  return until(`${id} to be ${states}`, async () => {
    const rental = await tenant.get(`/v1/rentals/${id}`)
    if (['failed', 'lost', 'stopped'].includes(rental.state) && !states.includes(rental.state))
      throw new Error(`ended as ${JSON.stringify(rental)}`)
    return states.includes(rental.state) && rental
  }, 30000)
}

test('a whole rental, from the offer to the recomputed bill', async () => {
  const offers = await tenant.get('/v1/offers?cpu_milli=500&memory=64MiB&disk=256MiB')
  const offer = offers.items.find((o) => o.machine === agent.machine)
  assert.ok(offer, JSON.stringify(offers))
  assert.equal(offer.rate_hour, '1.8')

  const events = tenant.socket('/v1/events?since=0')
  const rental = await tenant.post('/v1/rentals', { ...order, name: 'first', ports: [8080], env: { A: 'b=c' } }, 201)
  assert.match(rental.id, /^rnt-[0-9a-z]{26}$/)
  assert.equal(rental.machine, agent.machine)
  assert.equal(rental.rate_hour, '1.8')
  const held = await tenant.get('/v1/balance')
  assert.equal(held.held, '0.0025', 'five seconds of the rate are set aside')
  assert.equal(held.available, '9.9975')

  const running = await reaches(rental.id, 'running')
  assert.equal(running.billing, 'metering')
  assert.ok(running.started_at)
  assert.equal(running.ports[0].container, 8080)
  assert.ok(running.ports[0].host > 0)
  assert.equal(running.ports[0].address, `${agent.address}:${running.ports[0].host}`)
  const page = await until('the page to be served', () => fetch(`http://${running.ports[0].address}/`).catch(() => null))
  assert.match(await page.text(), /A rented container answers/)
  const [container] = await containersOf(rental.id)
  assert.ok(container, 'the container is really there')

  const logs = tenant.socket(`/v1/rentals/${rental.id}/logs?follow=true`)
  const first = await logs.next((line) => line.stream === 'stdout' && /hello from/.test(line.text))
  assert.ok(first.seq > 1, 'the platform spoke before the container did')
  await logs.next((line) => line.text.startsWith('second 2'))
  logs.close()

  const exec = tenant.socket(`/v1/rentals/${rental.id}/exec`)
  await exec.opened
  exec.ws.send(JSON.stringify({ command: ['/bin/sh', '-c', 'read x; echo "got $x $A"; exit 7'], stdin: true }))
  exec.ws.send(Buffer.from('\0some words\n'))
  const said = await exec.next((m) => m[0] === 1)
  assert.equal(said.subarray(1).toString(), 'got some words b=c\n')
  const end = await exec.next((m) => m[0] === 3)
  assert.deepEqual(JSON.parse(end.subarray(1).toString()), { exit_code: 7 })

  const stats = tenant.socket(`/v1/rentals/${rental.id}/stats`)
  const seen = await stats.next()
  assert.equal(seen.memory_limit_bytes, 64 << 20)
  assert.ok(seen.memory_bytes > 0)

  const stopping = await tenant.post(`/v1/rentals/${rental.id}/stop`, {})
  assert.ok(['stopping', 'stopped'].includes(stopping.state))
  const stopped = await reaches(rental.id, 'stopped')
  assert.equal(stopped.reason, 'stopped_by_tenant')
  assert.equal(stopped.caused_by, 'tenant')
  assert.equal(stopped.billing, 'closed')
  assert.equal(stopped.ports[0].address, null, 'closed with the container')
  assert.ok(stopped.seconds >= 1)

  // Logs of what has ended are still there.
  const old = tenant.socket(`/v1/rentals/${rental.id}/logs`)
  await old.next((line) => /hello from/.test(line.text))
  assert.equal((await old.closed).code, 1000)

  const states = []
  for (let event; !states.includes('rental.stopped');) {
    event = await events.next((e) => e.subject === rental.id)
    states.push(event.type)
  }
  events.close()
  assert.deepEqual(states.filter((s) => s !== 'rental.pulling'), ['rental.queued', 'rental.starting', 'rental.running', 'rental.stopping', 'rental.stopped'])
  const history = await tenant.get(`/v1/rentals/${rental.id}/history`)
  assert.ok(history.items.every((move) => move.to && move.at))

  const bill = await tenant.get(`/v1/bills/${rental.id}`)
  const { total, seconds } = await checkBill(bill, (await tenant.get('/v1/network')).network)
  assert.equal(seconds, stopped.seconds)
  assert.equal(total, BigInt(Math.floor(1800000 * seconds / 3600)), 'to the second')
  const balance = await tenant.get('/v1/balance')
  assert.equal(balance.held, '0.0')
  assert.equal(Math.round(Number(balance.available) * 1e6), 10000000 - Number(total))

  const earned = await agent.provider.get('/v1/balance')
  assert.equal(Math.round(Number(earned.earned) * 1e6), Number(total - total / 10n), 'the provider gets all but the fee')
  const ledger = await network.operator.get('/v1/admin/ledger')
  assert.equal(ledger.balanced, true, JSON.stringify(ledger))

  await tenant.delete(`/v1/rentals/${rental.id}`)
  await until('the container to be removed', async () => (await containersOf(rental.id)).length === 0)
})

test('a container that ends by itself: its exit code, and only its seconds', async () => {
  const rental = await tenant.post('/v1/rentals', { ...order, command: ['/bin/sh', '-c', 'echo bye; sleep 1; exit 3'] }, 201)
  const ended = await reaches(rental.id, 'stopped')
  assert.equal(ended.reason, 'exited')
  assert.equal(ended.exit_code, 3)
  assert.ok(ended.seconds <= 2, `charged ${ended.seconds} s`)
})

test('a container that ends at once costs at most its second', async () => {
  const rental = await tenant.post('/v1/rentals', { ...order, command: ['/bin/true'] }, 201)
  const ended = await reaches(rental.id, 'stopped')
  assert.equal(ended.reason, 'exited')
  assert.ok(ended.seconds <= 1)
})

test('the same Idempotency-Key gives the same rental once', async () => {
  const key = { 'idempotency-key': 'again-1' }
  const first = await tenant.post('/v1/rentals', order, 201, key)
  const second = await tenant.post('/v1/rentals', order, 201, key)
  assert.equal(second.id, first.id)
  const other = await tenant.raw('POST', '/v1/rentals', { ...order, cpu_milli: 600 }, key)
  assert.equal(other.status, 422)
  assert.equal(other.json.type, 'urn:kaisar:problem:idempotency-key-reused')
  const { items } = await tenant.get('/v1/rentals?limit=100')
  assert.equal(items.filter((r) => r.id === first.id).length, 1)
  await tenant.post(`/v1/rentals/${first.id}/stop`, {})
  await reaches(first.id, 'stopped')
})

test('limits hold inside the container', async () => {
  const rental = await tenant.post('/v1/rentals', { ...order, stop_timeout_s: 1, command: ['/bin/sh', '-c',
    'cat /proc/self/status | grep -E "CapEff|NoNewPrivs"; ulimit -n; sleep 60'] }, 201)
  await reaches(rental.id, 'running')
  const logs = tenant.socket(`/v1/rentals/${rental.id}/logs?follow=true`)
  assert.match((await logs.next((l) => /CapEff/.test(l.text))).text, /0000000000000000/)
  assert.match((await logs.next((l) => /NoNewPrivs/.test(l.text))).text, /1/)
  logs.close()
  await tenant.post(`/v1/rentals/${rental.id}/stop`, {})
  await reaches(rental.id, 'stopped')
})

test('a container that eats more than its memory is ended and says why', async () => {
  const rental = await tenant.post('/v1/rentals', { ...order, memory: '16MiB', command: ['/bin/sh', '-c',
    'sleep 1; x=a; while :; do x=$x$x; done'] }, 201)
  const ended = await reaches(rental.id, 'stopped', 'failed')
  assert.equal(ended.reason, 'out_of_memory', JSON.stringify(ended))
  assert.equal(ended.caused_by, 'tenant')
})

test('without capacity nothing is kept and the answer says what excluded the offers', async () => {
  const before = await tenant.get('/v1/balance')
  const problem = await tenant.refused('POST', '/v1/rentals', { ...order, memory: '3TiB' }, 409, 'no-capacity')
  assert.ok(problem.detail.length > 10, JSON.stringify(problem))
  assert.deepEqual(await tenant.get('/v1/balance'), before)
})

test('without balance nothing is kept', async () => {
  const poor = await network.tenant(null)
  await poor.refused('POST', '/v1/rentals', order, 402, 'insufficient-balance')
  assert.equal((await poor.get('/v1/rentals')).items.length, 0)
})

test('at zero balance the container is stopped, kept, and never more is charged than there was', async () => {
  // At 0.36 an hour a second costs 0.0001; five are held.
  const poor = await network.tenant('0.0004')
  await poor.refused('POST', '/v1/rentals', { ...order, cpu_milli: 100 }, 402, 'insufficient-balance')
  const thrifty = await network.tenant('0.0008')
  const cheap = await thrifty.post('/v1/rentals', { ...order, cpu_milli: 100 }, 201)
  const ended = await until('the balance to be used up', async () => {
    const now = await thrifty.get(`/v1/rentals/${cheap.id}`)
    return now.state === 'stopped' && now
  }, 60000)
  assert.equal(ended.reason, 'balance_exhausted')
  assert.equal((await thrifty.get('/v1/balance')).available, '0.0')
  assert.equal((await containersOf(cheap.id)).length, 1, 'kept for the grace period')
  assert.ok(ended.seconds >= 8, 'all that was paid was used')
})
