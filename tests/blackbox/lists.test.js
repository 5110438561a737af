// Lists come in pages that neither skip nor repeat; logs resume by number; every answer can be found in the
// log by its request id.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Network, demoImage, until } from './lib/network.js'

let network, tenant

before(async () => {
  network = await Network.start()
  tenant = await network.tenant(null)
})
after(() => network?.stop())

async function pages(path, limit) {
  const all = []
  for (let cursor = '', turns = 0; cursor !== null && turns < 50; turns++) {
    const page = await tenant.get(`${path}?limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
    assert.ok(page.items.length <= limit)
    all.push(...page.items)
    cursor = page.next
  }
  return all
}

test('pages of any size add up to the same list', async () => {
  for (let i = 0; i < 11; i++) {
    await tenant.post('/v1/api-keys', { name: `key ${i}`, permissions: ['rental.read'] }, 201)
    await network.credit(tenant, `${i + 1}`)
  }
  for (const path of ['/v1/api-keys', '/v1/statement']) {
    const whole = await pages(path, 100)
    assert.equal(whole.length, 11, path)
    for (const limit of [1, 2, 5, 10, 11]) assert.deepEqual(await pages(path, limit), whole, `${path} by ${limit}`)
  }
  const amounts = (await pages('/v1/statement', 4)).map((item) => item.amount)
  assert.deepEqual(amounts, Array.from({ length: 11 }, (_, i) => `${11 - i}.0`), 'the newest first')
})

test('rentals page, filter by state, and their logs resume by number', async () => {
  await network.worker()
  const ids = []
  for (let i = 0; i < 4; i++) {
    const rental = await tenant.post('/v1/rentals', {
      image: demoImage, cpu_milli: 100, memory: '16MiB', disk: '64MiB', command: ['/bin/sh', '-c', 'for i in 1 2 3 4 5; do echo line $i; done'],
    }, 201)
    ids.unshift(rental.id)
  }
  for (const id of ids) await until(`${id} to end`, async () => (await tenant.get(`/v1/rentals/${id}`)).state === 'stopped')
  assert.deepEqual((await pages('/v1/rentals', 3)).map((r) => r.id), ids)
  assert.equal((await tenant.get('/v1/rentals?state=stopped')).items.length, 4)
  assert.equal((await tenant.get('/v1/rentals?state=running')).items.length, 0)

  const read = async (query) => {
    const socket = tenant.socket(`/v1/rentals/${ids[0]}/logs${query}`)
    assert.equal((await socket.closed).code, 1000)
    return socket.messages
  }
  const whole = await read('?follow=true') // to its end
  assert.deepEqual(whole.map((line) => line.seq), whole.map((_, i) => i + 1), 'numbered from 1 without gaps')
  assert.deepEqual(whole.filter((l) => l.stream === 'stdout').map((l) => l.text), [1, 2, 3, 4, 5].map((i) => `line ${i}`))
  for (const since of [1, 3, whole.length]) assert.deepEqual(await read(`?since=${since}`), whole.filter((l) => l.seq >= since))
  assert.deepEqual(await read('?tail=2'), whole.slice(-2))
})

test('a request id leads to its line in the log', async () => {
  const good = await tenant.raw('GET', '/v1/account')
  const bad = await tenant.raw('GET', '/v1/rentals/nothing')
  assert.match(good.headers.get('x-request-id'), /^req-/)
  assert.equal(bad.json.request_id, bad.headers.get('x-request-id'))
  for (const answer of [good, bad])
    await until('the line', () => network.server.output.split('\n').some((line) => line.includes(`request=${answer.headers.get('x-request-id')}`)
      && line.includes(`status=${answer.status}`)))
})
