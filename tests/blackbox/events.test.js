// The journal: written with the change, numbered without gaps, each account its own, resumable.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Network } from './lib/network.js'

let network

before(async () => { network = await Network.start() })
after(() => network?.stop())

test('events are numbered without gaps and delivered live, to their account only', async () => {
  const one = await network.tenant(null), two = await network.tenant(null)
  const socket = one.socket('/v1/events?since=0')
  for (let i = 0; i < 20; i++) {
    await one.post('/v1/api-keys', { name: `one ${i}`, permissions: ['rental.read'] }, 201)
    await two.post('/v1/api-keys', { name: `two ${i}`, permissions: ['rental.read'] }, 201)
  }
  const seen = []
  while (seen.length < 21) seen.push(await socket.next())
  assert.deepEqual(seen.map((e) => e.seq), seen.map((_, i) => i + 1))
  const mine = new Set((await one.get('/v1/api-keys?limit=100')).items.map((k) => k.id))
  for (const event of seen.filter((e) => e.type === 'api_key.created')) assert.ok(mine.has(event.subject))

  // Resume: exactly what came after.
  const again = one.socket('/v1/events?since=15')
  for (const expected of seen.slice(15)) assert.deepEqual(await again.next(), expected)
  const page = await one.get('/v1/events?since=15&limit=3')
  assert.deepEqual(page.items, seen.slice(15, 18))
  assert.equal(page.next_since, 18)
  socket.close()
  again.close()
})

test('a browser sends its token as a subprotocol', async () => {
  const { default: WebSocket } = await import('ws')
  const person = await network.tenant(null)
  const url = `${network.url.replace('http', 'ws')}/v1/events?since=0`
  const ws = new WebSocket(url, ['kaisar.v1', `bearer.${person.token}`])
  const event = await new Promise((resolve, reject) => {
    ws.on('message', (data) => resolve(JSON.parse(data.toString())))
    ws.on('error', reject)
  })
  assert.equal(event.seq, 1)
  assert.equal(ws.protocol, 'kaisar.v1')
  ws.close()
})

test('events survive a killed control plane', async () => {
  const person = await network.tenant(null)
  await person.post('/v1/api-keys', { name: 'kept', permissions: ['rental.read'] }, 201)
  const before_ = await person.get('/v1/events')
  await network.server.kill()
  await network.startServer()
  assert.deepEqual(await person.get('/v1/events'), before_)
})
