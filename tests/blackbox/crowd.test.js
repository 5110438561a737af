// Many tenants at once on one machine: nothing is sold twice, nothing answers 5xx, the books balance.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Network, containersOf, demoImage, until } from './lib/network.js'
import { checkBill } from './lib/bill.js'

let network, agent

before(async () => {
  network = await Network.start()
  agent = await network.worker()
})
after(() => network?.stop())

// A small generator of our own, so that a run can be repeated.
function random(seed) {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 2 ** 32 * bound)
  }
}

async function oneTenant(seed) {
  const below = random(seed)
  const tenant = await network.tenant('20')
  const socket = tenant.socket('/v1/events?since=0')
  const mine = []
  for (let i = 0; i < 6; i++) {
    const answer = await tenant.raw('POST', '/v1/rentals', {
      image: demoImage, cpu_milli: 100 + 100 * below(3), memory: '32MiB', disk: '64MiB', ports: [8080],
    })
    assert.ok([201, 409].includes(answer.status), answer.text)
    if (answer.status === 201) mine.push(answer.json.id)
    for (let j = 0; j < 8; j++) {
      const id = mine[below(mine.length)]
      const path = ['/v1/rentals', '/v1/balance', '/v1/statement', '/v1/offers', id && `/v1/rentals/${id}`, id && `/v1/rentals/${id}/history`,
        id && `/v1/bills/${id}`][below(7)]
      if (path) await tenant.get(path)
    }
    if (mine.length && below(2)) await tenant.post(`/v1/rentals/${mine[below(mine.length)]}/stop`, {})
  }
  for (const id of mine) await tenant.post(`/v1/rentals/${id}/stop`, {})
  for (const id of mine) {
    const ended = await until(`${id} to end`, async () => {
      const now = await tenant.get(`/v1/rentals/${id}`)
      return ['stopped', 'failed', 'lost'].includes(now.state) && now
    }, 60000)
    assert.equal(ended.reason, 'stopped_by_tenant', JSON.stringify(ended))
    await checkBill(await tenant.get(`/v1/bills/${id}`), network.address)
    await tenant.delete(`/v1/rentals/${id}`)
  }
  socket.close()
  return mine
}

test('twelve tenants at once', async () => {
  const rentals = (await Promise.all(Array.from({ length: 12 }, (_, i) => oneTenant(i + 1)))).flat()
  assert.ok(rentals.length >= 12, `only ${rentals.length} rentals were placed`)
  for (const id of rentals) await until('its container to be gone', async () => (await containersOf(id)).length === 0, 30000)
  const ledger = await network.operator.get('/v1/admin/ledger')
  assert.equal(ledger.balanced, true, JSON.stringify(ledger))
  const worker = await agent.provider.get(`/v1/workers/${agent.machine}`)
  assert.equal(worker.leases, 0)
  assert.equal(worker.free.cpu_milli, worker.inventory.cpu_count * 1000, 'all is given back')
  assert.equal(worker.free.memory_bytes, worker.inventory.memory_bytes)
  assert.equal(worker.free.disk_bytes, worker.inventory.disk_bytes)
  assert.ok(!/ status=5/.test(network.server.output), 'no request failed')
})
