// SIGTERM: what was begun is answered, WebSockets are told, nothing acknowledged is lost. kill -9: the same
// for what was acknowledged.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Network, Program, join, sleep } from './lib/network.js'

let network

before(async () => { network = await Network.start() })
after(() => network?.stop())

// Adds keys without pause until the server is gone; how many were acknowledged. @first: called with the first.
async function writeUntilGone(person, first) {
  let acknowledged = 0
  for (let i = 0; i < 50; i++) {
    const answer = await person.raw('POST', '/v1/api-keys', { name: `key ${i}`, permissions: ['rental.read'] }).catch(() => null)
    if (!answer || answer.status === 503) break
    assert.equal(answer.status, 201, answer.text)
    acknowledged++
    first()
  }
  return acknowledged
}

async function interrupted(signal) {
  const people = await Promise.all(Array.from({ length: 20 }, () => network.tenant(null)))
  const sockets = people.map((person) => person.socket('/v1/events?since=0'))
  await Promise.all(sockets.map((socket) => socket.opened))
  let writing
  await new Promise((first) => { writing = Promise.all(people.map((person) => writeUntilGone(person, first))) })
  await sleep(60)
  const end = await network.server.kill(signal)
  const acknowledged = await writing
  const closes = await Promise.all(sockets.map((socket) => socket.closed))
  await network.startServer()
  for (const [i, person] of people.entries()) {
    const { items } = await person.get('/v1/api-keys?limit=100')
    // The last one may have been stored without its answer arriving; none may be missing.
    assert.ok(items.length >= acknowledged[i] && items.length <= acknowledged[i] + 1, `${items.length} stored, ${acknowledged[i]} acknowledged`)
    const { items: events } = await person.get('/v1/events?limit=100')
    assert.equal(events.filter((e) => e.type === 'api_key.created').length, items.length, 'each change with its event')
  }
  return { end, closes, total: acknowledged.reduce((a, b) => a + b, 0) }
}

test('SIGTERM drains', async () => {
  const { end, closes, total } = await interrupted('SIGTERM')
  assert.deepEqual(end, { code: 0, signal: null }, network.server.output.slice(-3000))
  for (const close of closes) assert.equal(close.code, 1001)
  assert.ok(total > 0)
})

test('kill -9 loses nothing that was acknowledged', async () => {
  const { total } = await interrupted('SIGKILL')
  assert.ok(total > 0)
})

test('a second control plane on the same folder, or the same port, is refused with the remedy', async () => {
  const again = async (...change) => {
    const program = new Program('again', ['server', '--listen', `127.0.0.1:${network.port}`, '--data', join(network.dir, 'server'), ...change])
    assert.equal((await program.ended).code, 1)
    return program.output
  }
  assert.match(await again(), /another control plane runs on this folder/)
  assert.match(await again('--data', join(network.dir, 'other')), /choose another --listen/)
})
