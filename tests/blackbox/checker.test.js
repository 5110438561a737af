// Checkers as their owners and the operator see them: registering, licences, links, statuses.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { concat, hexToBytes, keccak256, pad, stringToBytes } from 'viem'
import { Network, Program, sleep, until } from './lib/network.js'

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

async function ends(args, code, said) {
  const program = new Program('kaisar', args, { KAISAR_HOME: network.dir })
  const deadline = setTimeout(() => program.kill(), 30000)
  const end = await program.ended
  clearTimeout(deadline)
  assert.equal(end.code, code, program.output)
  assert.match(program.output, said)
}

test('a folder is its own kind of node\'s, and the other kind says so at once', async () => {
  const agent = await network.worker()
  await agent.program.stop()
  const engine = ['--engine', `unix://${agent.socket}`]
  await ends(['checker', 'run', '--state', agent.dir], 1, /is a worker's folder .*kaisar checker create/)
  await ends(['checker', 'create', network.url, '--state', agent.dir], 1, /is a worker's folder/)
  await checker.program.stop()
  await ends(['worker', 'run', '--state', checker.dir, ...engine], 1, /is a checker's folder .*kaisar worker join/)
  await ends(['worker', 'join', network.url, 'wtk_x', '--state', checker.dir], 1, /is a checker's folder/)
  network.runChecker(checker)
})

test('a node that the control plane does not know ends with the reason and what helps', async () => {
  const agent = await network.worker()
  await agent.provider.delete(`/v1/workers/${agent.machine}`)
  assert.equal((await agent.program.ended).code, 7, agent.program.output)
  assert.match(agent.program.output, /refused it for good: this machine has not joined, or was removed: kaisar worker join/)
  const gone = await network.checker({ licences: 0 })
  await gone.owner.delete(`/v1/checkers/${gone.address}`)
  assert.equal((await gone.program.ended).code, 7, gone.program.output)
  assert.match(gone.program.output, /refused it for good: this checker is not registered, or was removed: kaisar checker create/)
})

test('a checker is seen as long as it is linked, and was seen last when its link ended', async () => {
  const seen = async () => Date.parse((await owner.get(`/v1/checkers/${checker.address}`)).seen_at)
  await until('it to be linked', async () => (await network.statusOf(checker)) !== 'offline')
  const first = await seen()
  await until('SEEN to move', async () => (await seen()) > first)
  await sleep(1100)
  const before = await seen()
  await checker.program.stop()
  await until('it to be offline', async () => (await network.statusOf(checker)) === 'offline')
  await until('the end to be noted', async () => (await seen()) >= before)
  const last = await seen()
  await sleep(1100)
  assert.equal(await seen(), last)
  network.runChecker(checker)
  await checker.program.says('checker.started')
})
