// Wrong input: every field has bounds, the answer names the field and the rule, nothing changes; what
// belongs to others cannot be told from what does not exist.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connect } from 'node:net'
import { Network, demoImage } from './lib/network.js'

let network, tenant

before(async () => {
  network = await Network.start()
  tenant = await network.tenant('10')
})
after(() => network?.stop())

const order = { image: demoImage, cpu_milli: 500, memory: '64MiB', disk: '256MiB' }

test('every bound of an order', async () => {
  const wrong = [
    ['image', { image: '' }], ['image', { image: 'a'.repeat(2000) }], ['image', { image: 'UPPER/case' }],
    ['image', { image: 'a b' }], ['image', { image: 7 }], ['image', { image: null }], ['image', { image: 'a/../b' }],
    ['cpu_milli', { cpu_milli: 0 }], ['cpu_milli', { cpu_milli: -1 }], ['cpu_milli', { cpu_milli: 1.5 }],
    ['cpu_milli', { cpu_milli: '1000' }], ['cpu_milli', { cpu_milli: 2 ** 40 }],
    ['memory', { memory: '1' }], ['memory', { memory: '-5' }], ['memory', { memory: '5XB' }], ['memory', { memory: '99999TiB' }],
    ['disk', { disk: 1 }], ['gpus', { gpus: -1 }], ['gpus', { gpus: 65 }],
    ['ports[0]', { ports: [0] }], ['ports[0]', { ports: [65536] }], ['ports', { ports: Array(17).fill(1).map((_, i) => i + 1) }],
    ['command', { command: 'ls' }], ['command[0]', { command: ['a'.repeat(5000)] }], ['command', { command: Array(65).fill('a') }],
    ['env', { env: [] }], ['env.A', { env: { A: 7 } }], ['env.A', { env: { A: 'a'.repeat(5000) } }], ['env', { env: { 'A B': 'x' } }],
    ['name', { name: '' }], ['name', { name: 'a'.repeat(100) }], ['name', { name: 'a/b' }],
    ['max_rate_hour', { max_rate_hour: 1 }], ['max_rate_hour', { max_rate_hour: '-1' }], ['max_rate_hour', { max_rate_hour: '1e3' }],
    ['machine', { machine: '0x12' }], ['term_s', { term_s: 1 }], ['privileged', { privileged: true }],
  ]
  for (const [field, change] of wrong) {
    const answer = await tenant.raw('POST', '/v1/rentals', { ...order, ...change })
    assert.equal(answer.status, 422, `${JSON.stringify(change).slice(0, 80)}: ${answer.text}`)
    assert.equal(answer.json.type, 'urn:kaisar:problem:invalid-field')
    assert.ok(answer.json.field === field || answer.json.field.startsWith(`${field}`) || field.startsWith(answer.json.field),
      `${JSON.stringify(change).slice(0, 80)}: names ${answer.json.field}, not ${field}`)
    assert.ok(answer.json.rule.length > 5)
  }
  assert.equal((await tenant.get('/v1/rentals')).items.length, 0)
  assert.equal((await tenant.get('/v1/balance')).available, '10.0')
})

test('a body that is not one JSON object', async () => {
  for (const body of ['', '[]', '7', '"x"', '{', '{"image":1,}', '{"a":1}{"b":2}', '{"image":"x","image":"y"}', '\xff\xfe', '{"image":"\\ud800"}']) {
    const answer = await tenant.raw('POST', '/v1/rentals', body)
    assert.equal(answer.status, 422, `${body}: ${answer.text}`)
  }
  const big = await tenant.raw('POST', '/v1/rentals', `{"image":"${'a'.repeat(3 << 20)}"}`).catch(() => ({ status: 413 }))
  assert.equal(big.status, 413)
})

test('queries and cursors', async () => {
  for (const [path, field] of [['/v1/rentals?limit=0', 'limit'], ['/v1/rentals?limit=101', 'limit'], ['/v1/rentals?limit=x', 'limit'],
    ['/v1/rentals?cursor=%21', 'cursor'], ['/v1/rentals?state=asleep', 'state'], ['/v1/rentals?nonsense=1', 'nonsense'],
    ['/v1/statement?cursor=zzz', 'cursor'], ['/v1/events?since=-1', 'since'], ['/v1/offers?gpus=-1', 'gpus'], ['/v1/rentals?limit=1&limit=2', 'limit']])
    await tenant.refused('GET', path, undefined, 422, 'invalid-field', field)
})

test('what is not mine does not exist', async () => {
  await network.worker()
  const rental = await tenant.post('/v1/rentals', order, 201)
  const thief = await network.tenant('1')
  const unknown = 'rnt-00000000000000000000000000'
  for (const [method, path] of [['GET', ''], ['GET', '/history'], ['POST', '/stop'], ['DELETE', '']]) {
    const foreign = await thief.raw(method, `/v1/rentals/${rental.id}${path}`, method === 'POST' ? {} : undefined)
    const nothing = await thief.raw(method, `/v1/rentals/${unknown}${path}`, method === 'POST' ? {} : undefined)
    assert.equal(foreign.status, 404)
    delete foreign.json.request_id
    delete nothing.json.request_id
    assert.deepEqual(foreign.json, nothing.json, 'the two answers are the same')
  }
  await thief.refused('GET', `/v1/bills/${rental.id}`, undefined, 404, 'not-found')
  for (const stream of ['logs', 'exec', 'stats'])
    assert.equal((await thief.socket(`/v1/rentals/${rental.id}/${stream}`).closed).status, 404)
  for (const id of ['x', 'rnt-', '..', 'rnt-0000000000000000000000000I', `lse${rental.id.slice(3)}`])
    assert.equal((await tenant.raw('GET', `/v1/rentals/${id}`)).status, 404)
  const [machine] = network.agents.map((a) => a.machine)
  for (const [method, body] of [['GET'], ['PATCH', { paused: true }], ['DELETE']])
    assert.equal((await thief.raw(method, `/v1/workers/${machine}`, body)).status, 404)
  await tenant.post(`/v1/rentals/${rental.id}/stop`, {})
})

test('without a token, with the wrong rights, by the wrong method', async () => {
  const nobody = network.person()
  for (const path of ['/v1/rentals', '/v1/balance', '/v1/workers', '/v1/account', '/v1/events', '/v1/admin/ledger'])
    await nobody.refused('GET', path, undefined, 401, 'unauthenticated')
  await tenant.refused('POST', '/v1/admin/credits', { account: tenant.address, amount: '5', key: 'k', memo: 'mine' }, 403, 'denied')
  await tenant.refused('GET', '/v1/admin/ledger', undefined, 403, 'denied')
  const wrong = await tenant.raw('PUT', '/v1/rentals', {})
  assert.equal(wrong.status, 405)
  assert.deepEqual(wrong.headers.get('allow').split(', ').sort(), ['GET', 'POST'])
  assert.equal((await tenant.raw('GET', '/v1/nothing')).status, 404)
  assert.equal((await tenant.raw('GET', '/v1/rentals/x/logs')).status, 426)
})

test('credit has bounds and is given once for one key', async () => {
  const { operator } = network
  for (const [field, change] of [['amount', { amount: '0' }], ['amount', { amount: '-1' }], ['amount', { amount: '1e9' }], ['amount', { amount: '99999999' }],
    ['account', { account: '0x1' }], ['key', { key: '' }], ['memo', { memo: 'a'.repeat(300) }]])
    await operator.refused('POST', '/v1/admin/credits', { account: tenant.address, amount: '1', key: 'k2', memo: '', ...change }, 422, 'invalid-field', field)
  const rich = await network.tenant(null)
  for (let i = 0; i < 3; i++)
    await operator.post('/v1/admin/credits', { account: rich.address, amount: '2', key: 'same', memo: 'x' }, 201)
  assert.equal((await rich.get('/v1/balance')).available, '2.0')
})

// What the HTTP layer refuses before anybody looks at it: raw bytes, one connection each.
function raw(bytes) {
  return new Promise((resolve, reject) => {
    const socket = connect(network.port, '127.0.0.1', () => socket.write(bytes))
    let answer = ''
    socket.setTimeout(20000, () => { socket.destroy(); reject(new Error('no answer')) })
    socket.on('data', (data) => { answer += data.toString('latin1') })
    socket.on('close', () => resolve(answer))
    socket.on('error', () => resolve(answer))
  })
}

test('ambiguous and oversized HTTP', async () => {
  const host = 'Host: x\r\n'
  const rows = [
    [`GET /v1/ping HTTP/1.1\r\n\r\n`, 400],
    [`POST /v1/auth/nonce HTTP/1.1\r\n${host}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`, 400],
    [`POST /v1/auth/nonce HTTP/1.1\r\n${host}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
    [`POST /v1/auth/nonce HTTP/1.1\r\n${host}Content-Length: -2\r\n\r\n{}`, 400],
    [`POST /v1/auth/nonce HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
    [`GET /v1/ping HTTP/1.1\r\n${host}A: b\r\n c\r\n\r\n`, 400],
    [`GET /v1/ping HTTP/1.1\r\nHost : x\r\n\r\n`, 400],
    [`GET /${'a'.repeat(40000)} HTTP/1.1\r\n${host}\r\n`, 414],
    [`GET /v1/ping HTTP/1.1\r\n${host}A: ${'a'.repeat(70000)}\r\n\r\n`, 431],
    [`POST /v1/auth/nonce HTTP/1.1\r\n${host}Content-Length: 99999999\r\n\r\n`, 413],
  ]
  for (const [bytes, status] of rows) {
    const answer = await raw(bytes)
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), JSON.stringify(bytes.slice(0, 80)))
  }
})
