// Checkers as their owners and the operator see them: registering, licences, links, statuses.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { concat, hexToBytes, keccak256, pad, stringToBytes } from 'viem'
import { Network, until } from './lib/network.js'

let network, owner, checker

before(async () => {
  network = await Network.start()
  owner = await network.tenant(null)
  checker = await network.checker({ owner, licences: 0 })
})
after(() => network?.stop())

const tag = pad(stringToBytes('kaisar-checker-1'), { size: 16, dir: 'right' })

async function registration(key, account, name = 'other') {
  const digest = keccak256(concat([tag, hexToBytes(network.address), hexToBytes(key.address), hexToBytes(account)]))
  return { checker: key.address, signature: await key.sign({ hash: digest }), name }
}

test('a checker without a licence is pending, with one it is ready', async () => {
  assert.equal(await network.statusOf(checker), 'pending')
  await network.license(checker, 2)
  await until('it to be ready', async () => (await network.statusOf(checker)) === 'ready')
  const row = await owner.get(`/v1/checkers/${checker.address}`)
  assert.equal(row.status, 'ready')
  assert.equal(row.licences, 2)
  assert.equal(row.error_ppm, 0)
  assert.equal(row.ban, null)
  await network.license(checker, 0)
  assert.equal(await network.statusOf(checker), 'pending')
  await network.license(checker, 2)
})

test('a checker that ends is offline, and comes back by itself', async () => {
  await checker.program.stop()
  await until('it to be offline', async () => (await network.statusOf(checker)) === 'offline')
  network.runChecker(checker)
  await until('it to be ready', async () => (await network.statusOf(checker)) === 'ready')
})

test('a control plane that was killed finds its checkers again', async () => {
  await network.server.kill()
  await network.startServer()
  await until('it to be ready', async () => (await network.statusOf(checker)) === 'ready')
})

test('registering needs a signature by the key over this account', async () => {
  const key = privateKeyToAccount(generatePrivateKey())
  const stranger = await network.tenant(null)
  await stranger.refused('POST', '/v1/checkers', await registration(key, owner.address), 403, 'checker-signature')
  const good = await registration(key, stranger.address)
  await stranger.refused('POST', '/v1/checkers', { ...good, signature: good.signature.slice(0, -2) + '1f' }, 403, 'checker-signature')
  await stranger.refused('POST', '/v1/checkers', { ...good, signature: '0y' + good.signature.slice(2) }, 422, 'invalid-field', 'signature')
  await stranger.refused('POST', '/v1/checkers', { ...good, name: '' }, 422, 'invalid-field', 'name')
  const row = await stranger.post('/v1/checkers', good, 201)
  assert.equal(row.status, 'pending')
  assert.equal((await stranger.post('/v1/checkers', { ...good, name: 'renamed' }, 201)).name, 'renamed')
  await owner.refused('POST', '/v1/checkers', await registration(key, owner.address), 409, 'checker-taken')
  await stranger.delete(`/v1/checkers/${key.address}`)
  await stranger.get(`/v1/checkers/${key.address}`, 404)
})

test('what belongs to others is not there', async () => {
  const stranger = await network.tenant(null)
  await stranger.get(`/v1/checkers/${checker.address}`, 404)
  await stranger.get(`/v1/checkers/${checker.address}/tasks`, 404)
  assert.deepEqual((await stranger.get('/v1/checkers')).items, [])
  await stranger.get('/v1/admin/checkers', 403)
  await stranger.call('PUT', `/v1/admin/checkers/${checker.address}`, { licences: 9 }, 403)
  assert.equal((await owner.get('/v1/checkers')).items.length, 1)
  assert.equal((await network.operator.get('/v1/admin/checkers')).items.length, 1)
  await network.operator.refused('PUT', `/v1/admin/checkers/${checker.address}`, { licences: 29999 }, 422, 'invalid-field', 'licences')
})
