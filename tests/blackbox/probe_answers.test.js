// What checkers hear in a probe, and what becomes of it: a GPU in the container, checkers that say nothing, and
// the ticket with which they come.
import assert from 'node:assert/strict'
import { createPrivateKey, sign } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { Network, Program, bin, demoImage, until } from './lib/network.js'

const slow = 120000
const settings = {
  proof_required: 0, panel_registration: 3, panel_standing: 3, panel_least: 3, beacon_slot_ms: 1000,
  proof_standby_ms: 3600000, proof_planted_ms: 0, proof_retry_ms: 1000, proof_bandwidth_ms: 0,
  proof_probe_ms: 1000, probe_deadline_ms: 12000, offline_after_ms: 10000, lost_after_ms: 60000,
}
const fakes = join(dirname(bin), '../../tests/fake')
let network, agent

before(async () => {
  network = await Network.start(settings, ['--probe-image', demoImage])
  for (let i = 0; i < 3; i++) await network.checker()
  const cdi = join(network.dir, 'cdi')
  await mkdir(cdi)
  await writeFile(join(cdi, 'nvidia.json'), JSON.stringify({
    cdiVersion: '0.5.0', kind: 'nvidia.com/gpu',
    devices: [0, 1].map((i) => ({
      name: `GPU-00000000-0000-0000-0000-00000000000${i}`,
      containerEdits: { deviceNodes: [{ path: `/dev/nvidia${i}`, hostPath: '/dev/null' }] },
    })),
  }))
  agent = await network.worker({ gpuHour: '1', cdi, env: { LD_LIBRARY_PATH: fakes }, options: ['--gpu-backend', 'cpu'] })
})
after(() => network?.stop())

const probes = async (query = '') => (await network.person().get(`/v1/probes?machine=${agent.machine}&limit=100${query}`)).items

// The first probe that began after now and ended like this.
async function ends(outcome) {
  const known = new Set((await probes()).map((p) => p.id))
  return until(`a probe that is ${outcome}`, async () => (await probes(`&outcome=${outcome}`)).find((p) => !known.has(p.id)), slow)
}

async function kaisar(...args) {
  const program = new Program('kaisar', args, { KAISAR_HOME: network.dir, KAISAR_URL: network.url })
  return { ...await program.ended, stdout: program.stdout, output: program.output }
}

test('where there are GPUs, a container with one is asked how many it has', async () => {
  const probe = await ends('passed')
  assert.equal(probe.gpus, 1)
  assert.ok(probe.answers.some((a) => a.passed && a.gpus === 1), JSON.stringify(probe))
})

test('operators list probes, and choose among them by machine and outcome', async () => {
  const table = await kaisar('admin', 'probes', '--machine', agent.machine, '--outcome', 'passed', '--limit', '1')
  assert.equal(table.code, 0, table.output)
  assert.match(table.stdout, /PROBE .*MACHINE .*OUTCOME .*ANSWERED/)
  assert.match(table.stdout, /prb-\S+ .*passed +1 +[23] of 3/)
  const json = JSON.parse((await kaisar('admin', 'probes', '-o', 'json')).stdout)
  assert.equal(json[0].answers.length, 3)
  const wrong = await kaisar('admin', 'probes', '--outcome', 'nonsense')
  assert.equal(wrong.code, 2)
  assert.match(wrong.output, /outcome: must be one of: passed, failed/)
  await network.person().refused('GET', '/v1/probes?outcome=nonsense', undefined, 422, 'invalid-field', 'outcome')
  const key = await agent.provider.post('/v1/api-keys', { name: 'status', permissions: ['worker.read'] }, 201)
  const status = new Program('kaisar', ['worker', 'status'], { KAISAR_HOME: network.dir, KAISAR_URL: network.url, KAISAR_API_KEY: key.key })
  assert.equal((await status.ended).code, 0, status.output)
  assert.match(status.stdout, /LAST PROBE[^]*prb-/)
})

test('lists of proofs refuse outcomes that there are not, and say which there are', async () => {
  for (const path of ['/v1/proofs', `/v1/workers/${agent.machine}/proofs`]) {
    const problem = await agent.provider.refused('GET', `${path}?outcome=nonsense`, undefined, 422, 'invalid-field', 'outcome')
    assert.match(problem.rule, /must be one of: live, passed, .*prover_failed.*fault$/)
  }
  const wrong = await kaisar('popw', 'list', '--outcome', 'nonsense')
  assert.equal(wrong.code, 2)
  assert.match(wrong.output, /outcome: must be one of: live, passed/)
})

// From now on it hears of probes and says nothing: tests/fake/fake_checker.c. Its link stays.
async function silence(checker) {
  await checker.program.stop()
  network.runChecker(checker, (name, state) => new Program(name, [state, 'silent'], {}, join(fakes, 'fake-checker')))
}

test('the majority decides without a checker that says nothing, and nobody does without a majority', async () => {
  const [, second, third] = network.checkers
  await silence(third)
  const one = await ends('passed')
  assert.deepEqual(one.answers.filter((a) => a.passed === null).map((a) => a.checker.toLowerCase()), [third.address.toLowerCase()])
  await silence(second)
  const two = await ends('no_majority')
  assert.match(two.detail, /^1 of 3 were answered, 0 were not/)
  // It has no consequences.
  const host = (await agent.provider.get(`/v1/workers/${agent.machine}`)).devices.find((d) => d.kind === 'host')
  assert.equal(host.state, 'proved')
})

const base64url = (object) => Buffer.from(JSON.stringify(object)).toString('base64url')
const letters = '0123456789abcdefghjkmnpqrstvwxyz'

function bytesOf(id) {
  const value = [...id.slice(4)].reduce((sum, letter) => sum * 32n + BigInt(letters.indexOf(letter)), 0n)
  return value.toString(16).padStart(32, '0')
}

test('a ticket opens an exec in its own rental and nothing else', async () => {
  const tenant = await network.tenant('10')
  const order = { image: demoImage, cpu_milli: 100, memory: '32MiB', disk: '64MiB', gpus: 1, command: ['sleep', '600'], stop_timeout_s: 1 }
  const rentals = []
  for (let i = 0; i < 2; i++) rentals.push(await until('a place', async () => {
    const answer = await tenant.raw('POST', '/v1/rentals', order)
    return answer.status === 201 && answer.json
  }, slow))
  for (const { id } of rentals)
    await until('it to run', async () => (await tenant.get(`/v1/rentals/${id}`)).state === 'running', slow)
  const key = createPrivateKey(await readFile(join(network.dir, 'server/keys/token.pem')))
  const [header, claims] = tenant.token.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')))
  const ticket = (life) => {
    const now = Math.floor(Date.now() / 1000)
    const text = `${base64url(header)}.${base64url({ ...claims, sid: bytesOf(rentals[0].id), prm: 512, iat: now - 100, exp: now + life })}`
    return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
  const holder = network.person()
  holder.token = ticket(100)
  const path = (i, what) => `/v1/rentals/${rentals[i].id}${what}`
  const exec = holder.socket(path(0, '/exec'))
  await exec.opened
  exec.ws.send(JSON.stringify({ command: ['echo', 'in'], tty: false, stdin: false }))
  await exec.next((message) => message[0] === 1 && message.subarray(1).toString() === 'in\n')
  exec.close()
  assert.equal((await holder.socket(path(1, '/exec')).closed).status, 404)
  for (const what of ['/logs', '/stats']) assert.equal((await holder.socket(path(0, what)).closed).status, 403)
  for (const [method, route] of [['GET', path(0, '')], ['GET', '/v1/rentals'], ['GET', '/v1/account'], ['POST', path(0, '/stop')], ['GET', '/v1/balance']])
    assert.equal((await holder.raw(method, route, method === 'POST' ? {} : undefined)).status, 403, route)
  holder.token = ticket(-50)
  assert.equal((await holder.socket(path(0, '/exec')).closed).status, 401)
  for (const { id } of rentals) await tenant.post(`/v1/rentals/${id}/stop`, {})
})
