// Signing in, sessions, keys and roles, with viem as the wallet.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createSiweMessage } from 'viem/siwe'
import { createPublicKey, verify } from 'node:crypto'
import { Network, sleep } from './lib/network.js'

let network

before(async () => { network = await Network.start({ access_token_ms: 3000 }) })
after(() => network?.stop())

async function nonce(person) {
  return person.call('POST', '/v1/auth/nonce', {}, 201)
}

function message(person, given, change = {}) {
  return createSiweMessage({
    address: person.address, chainId: given.chain_id, domain: given.domain, nonce: given.nonce, uri: given.uri,
    version: '1', issuedAt: new Date(), ...change,
  })
}

async function tryLogin(person, text, signer = person) {
  const signature = await signer.account.signMessage({ message: text })
  return person.raw('POST', '/v1/auth/login', { message: text, signature })
}

test('a wallet signs in and is a tenant and a provider', async () => {
  const person = network.person()
  const session = await person.login()
  assert.equal(session.account, person.address)
  assert.equal(session.token_type, 'Bearer')
  const account = await person.get('/v1/account')
  assert.equal(account.account, person.address)
  assert.deepEqual(account.roles.sort(), ['provider', 'tenant'])
})

test('an access token can be checked with the public key alone', async () => {
  const person = network.person()
  await person.login()
  const { keys: [jwk] } = await person.get('/.well-known/jwks.json')
  const [header, payload, signature] = person.token.split('.')
  assert.equal(JSON.parse(Buffer.from(header, 'base64url')).alg, 'ES256')
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  assert.ok(verify('sha256', Buffer.from(`${header}.${payload}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')))
  assert.equal(JSON.parse(Buffer.from(payload, 'base64url')).sub, person.address)
})

test('a nonce signs in once', async () => {
  const person = network.person()
  const text = message(person, await nonce(person))
  assert.equal((await tryLogin(person, text)).status, 200)
  assert.equal((await tryLogin(person, text)).status, 401)
})

test('sign-in messages are read strictly', async () => {
  const person = network.person(), other = network.person()
  const given = await nonce(person)
  const good = message(person, given)
  const changes = {
    'another domain': message(person, given, { domain: 'evil.example' }),
    'another uri': message(person, given, { uri: 'http://evil.example' }),
    'another chain': message(person, given, { chainId: 1 }),
    'an unknown nonce': message(person, { ...given, nonce: 'abcdefgh12345678' }),
    'issued in the future': message(person, given, { issuedAt: new Date(Date.now() + 3600e3) }),
    'issued long ago': message(person, given, { issuedAt: new Date(Date.now() - 86400e3) }),
    'expired': message(person, given, { expirationTime: new Date(Date.now() - 1000) }),
    'not yet valid': message(person, given, { notBefore: new Date(Date.now() + 3600e3) }),
    'version 2': good.replace('Version: 1', 'Version: 2'),
    'a lower-case address': good.replace(person.address, person.address.toLowerCase()),
    'carriage returns': good.replaceAll('\n', '\r\n'),
    'a trailing newline': `${good}\n`,
    'a leading space': ` ${good}`,
    'a field twice': good.replace('Version: 1', 'Version: 1\nVersion: 1'),
    'a field missing': good.replace(/Chain ID: \d+\n/, ''),
    'another order': good.replace(/(Version: 1)\n(Chain ID: \d+)/, '$2\n$1'),
    'an unknown field': `${good}\nExtra: 1`,
    'a short nonce': good.replace(given.nonce, 'abc1234'),
    'a strange nonce': good.replace(given.nonce, `${given.nonce}-`),
    'no date': good.replace(/Issued At: .*/, 'Issued At: yesterday'),
    'empty': '',
  }
  for (const [what, text] of Object.entries(changes)) {
    const answer = await tryLogin(person, text)
    assert.ok([401, 422].includes(answer.status), `${what}: ${answer.status} ${answer.text}`)
  }
  assert.equal((await tryLogin(person, good, other)).status, 401, 'signed by somebody else')
  for (const signature of ['0x', '0x00', `0x${'00'.repeat(65)}`, `0x${'ff'.repeat(65)}`, 'x'.repeat(132)]) {
    const answer = await person.raw('POST', '/v1/auth/login', { message: good, signature })
    assert.ok([401, 422].includes(answer.status), answer.text)
  }
  assert.equal((await tryLogin(person, good)).status, 200, 'none of that used the nonce up')
})

test('refresh tokens rotate, and a used one ends the session', async () => {
  const person = network.person()
  const first = await person.login()
  const second = await person.call('POST', '/v1/auth/refresh', { refresh_token: first.refresh_token }, 200)
  assert.notEqual(second.refresh_token, first.refresh_token)
  assert.equal((await person.raw('POST', '/v1/auth/refresh', { refresh_token: first.refresh_token })).status, 401)
  assert.equal((await person.raw('POST', '/v1/auth/refresh', { refresh_token: second.refresh_token })).status, 401, 'the whole session ended')
})

test('wrong and old tokens are refused alike', async () => {
  const person = network.person()
  await person.login()
  const good = person.token
  const [header, payload, signature] = good.split('.')
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
  for (const token of ['', 'x', `${header}.${payload}`, `${header}.${payload}.`, `${none}.${payload}.`, `${none}.${payload}.${signature}`,
    `${header}.${payload}.${signature.slice(0, -2)}AA`, `${header}.${Buffer.from('{}').toString('base64url')}.${signature}`, `ksk_${'a'.repeat(43)}`]) {
    person.token = token
    await person.refused('GET', '/v1/account', undefined, 401, 'unauthenticated')
  }
  person.token = good
  await sleep(4500)
  await person.refused('GET', '/v1/account', undefined, 401, 'unauthenticated')
})

test('an API key does what it was given and no more', async () => {
  const person = network.person()
  await person.login()
  const key = await person.post('/v1/api-keys', { name: 'reader', permissions: ['rental.read'] }, 201)
  const robot = network.person()
  robot.token = key.key
  await robot.get('/v1/rentals')
  await robot.refused('POST', '/v1/rentals', { image: 'x' }, 403, 'denied')
  await robot.refused('GET', '/v1/balance', undefined, 403, 'denied')
  const { items } = await person.get('/v1/api-keys')
  assert.equal(items.length, 1)
  assert.equal(items[0].key, undefined, 'the secret is shown once')
  await person.delete(`/v1/api-keys/${key.id}`)
  await robot.refused('GET', '/v1/rentals', undefined, 401, 'unauthenticated')
})

test('only an operator gives roles', async () => {
  const person = network.person(), other = network.person()
  await person.login()
  await other.login()
  await person.refused('PUT', '/v1/admin/roles', { account: other.address, role: 'operator', granted: true }, 403, 'denied')
  await network.operator.login()
  await network.operator.call('PUT', '/v1/admin/roles', { account: other.address, role: 'operator', granted: true }, 200)
  const account = await network.operator.get(`/v1/admin/accounts/${other.address}`)
  assert.ok(account.roles.includes('operator'))
})
