// Proof of Physical Work end to end: real checkers, the CPU's prover, real panels; and what follows for offers,
// rentals and checkers.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { after, before, test } from 'node:test'
import { createHash } from 'node:crypto'
import { Chain } from './lib/chain.js'
import { Signer, deployContracts, licensing } from './lib/deployment.js'
import { Network, Program, bin, demoImage, until } from './lib/network.js'

const slow = 120000
const settings = {
  proof_required: 1, panel_registration: 3, panel_standing: 3, panel_least: 3, beacon_slot_ms: 1000,
  proof_standby_ms: 3000, proof_rented_ms: 2000, proof_planted_ms: 0, proof_retry_ms: 1000, proof_nonce_ms: 5000,
  proof_result_ms: 15000, poll_every_ms: 1000, proof_bandwidth_ms: 500, offline_after_ms: 10000, lost_after_ms: 30000,
  anchor_every_ms: 1000,
}
const order = { image: demoImage, cpu_milli: 200, memory: '32MiB', disk: '64MiB', stop_timeout_s: 1 }
let dir, chain, signer, network, agent, tenant, checkers

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-proof-')
  chain = await Chain.start()
  const addresses = await deployContracts(chain, dir)
  signer = await Signer.start(chain, addresses, join(dir, 'signer'))
  network = await Network.start(settings, ['--chain-rpc', chain.url, '--chain-addresses', addresses, '--chain-signer', signer.path])
  network.licensing = await licensing(chain, addresses)
  agent = await network.worker({ options: ['--proof-listen', '127.0.0.1:0'] })
  tenant = await network.tenant('10')
})
after(async () => {
  await network?.stop()
  await signer?.stop()
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

const worker = () => agent.provider.get(`/v1/workers/${agent.machine}`)
const host = async () => (await worker()).devices.find((d) => d.kind === 'host')
const proofs = async (query = '') => (await tenant.get(`/v1/proofs?machine=${agent.machine}${query}`)).items
const standard = fileURLToPath(new URL('../../tools/popw_verify.py', import.meta.url))

// What the standard alone makes of a published record: the network's own verdict.
async function standardAgrees(id) {
  const file = join(network.dir, id)
  await writeFile(file, Buffer.from((await tenant.get(`/v1/proofs/${id}/record`)).record, 'base64url'))
  const run = spawnSync('python3', [standard, file], { encoding: 'utf8' })
  assert.equal(run.status, 0, run.stderr)
  assert.deepEqual(JSON.parse(run.stdout), (await tenant.get(`/v1/proofs/${id}`)).verdict)
}

test('a machine that nobody checked is not offered, and the answer says so', async () => {
  const { items, excluded } = await tenant.get('/v1/offers?gpus=0')
  assert.deepEqual(items, [])
  assert.deepEqual(excluded, { unproved: 1 })
  await tenant.refused('POST', '/v1/rentals', order, 409, 'no-capacity')
  assert.equal((await until('its device', host)).state, 'unproved')
})

test('without enough licensed checkers nothing begins', async () => {
  checkers = [await network.checker(), await network.checker(), await network.checker({ licences: 0 })]
  await new Promise((resolve) => setTimeout(resolve, 2500))
  assert.deepEqual(await proofs(), [])
})

const status = async (...args) => {
  const key = await agent.provider.post('/v1/api-keys', { name: 'status', permissions: ['worker.read'] }, 201)
  const run = new Program('kaisar', ['worker', 'status', ...args], { KAISAR_URL: network.url, KAISAR_HOME: network.dir, KAISAR_API_KEY: key.key })
  assert.equal((await run.ended).code, 0, run.output)
  return run.stdout
}

test('the provider is told for how many checkers the machine waits', async () => {
  const waits = 'waits for checkers: 2 may check it, 3 are needed'
  assert.match(await status(), new RegExp(`host +- +unproved .* ${waits}$`, 'm'))
  const [{ devices }] = JSON.parse(await status('-o', 'json'))
  assert.deepEqual(devices.map((d) => [d.session, d.waits]), devices.map(() => [null, waits]))
  // A provider's own checkers do not count: they are never drawn.
  const own = await network.checker({ owner: agent.provider })
  assert.equal((await agent.provider.get('/v1/panel')).checkers, 2)
  assert.equal((await tenant.get('/v1/panel')).checkers, 3)
  await own.program.stop()
  await agent.provider.delete(`/v1/checkers/${own.address}`)
})

test('the provider sees a session that goes on: which device, where it is, since when, before how many', async () => {
  const silent = checkers.slice(1)
  for (const checker of silent) checker.program.child.kill('SIGSTOP') // so that it goes on for a while
  try {
    await network.license(checkers[2], 1)
    const device = await until('a session', async () =>
      JSON.parse(await status('-o', 'json'))[0].devices.find((d) => d.session?.phase), slow)
    assert.equal(device.kind, 'host')
    assert.equal(device.waits, null)
    assert.match(device.session.phase, /^[a-z]+$/)
    assert.equal(device.session.panel_size, 3)
    assert.ok(Date.parse(device.session.phase_until) >= Date.parse(device.session.started_at))
    assert.equal((await tenant.get(`/v1/proofs/${device.session.proof}`)).started_at, device.session.started_at)
    await until('it in the table', async () => /^MACHINE +DEVICE +UUID +GOES ON +PHASE +SINCE +UNTIL +PANEL$[^]+ host +- +prf-\S+ +[a-z]+ +\S+Z +\S+Z +3$/m.test(await status()), slow)
    assert.match(await status(agent.machine), /"session": /)
  } finally {
    await network.license(checkers[2], 0)
    await until('it to end', async () => (await proofs('&outcome=live')).length === 0, slow)
    for (const checker of silent) checker.program.child.kill('SIGCONT')
  }
})

test('three checkers prove it, and it is offered', async () => {
  await network.license(checkers[2], 1)
  await until('the machine to be proved', async () => (await worker()).proved, slow)
  const seen = await host()
  assert.equal(seen.state, 'proved')
  assert.equal(seen.class, 'cpu')
  assert.ok(seen.matrix_mops > 0 && seen.walk_kbps > 0 && seen.set_mib > 0)
  assert.equal((await tenant.get('/v1/offers?gpus=0')).items.length, 1)
})

test('what it claims counts only as far as its sessions held it', async () => {
  const { credited, inventory, devices } = await worker()
  const [host, disk] = ['host', 'disk'].map((kind) => devices.find((d) => d.kind === kind))
  assert.equal(host.set_mib, 1)
  assert.ok(host.fill_kbps > 0)
  // Half of the memory is asked for, or the network's parameter: one MiB bears out two.
  assert.ok(inventory.memory_bytes > 4 << 20 && inventory.disk_bytes > 128 << 20)
  assert.ok(credited.memory_bytes <= 2 << 20, `${credited.memory_bytes}`)
  assert.ok(credited.cpu_count >= 1 && credited.cpu_count <= inventory.cpu_count)
  assert.match(credited.why, new RegExp(`^${host.proof}: a set of 1 MiB was filled at .* bears out ${credited.cpu_count} of `))
  assert.match(await status(), / prf-\S+: a set of 1 MiB was filled at /)
  if (disk.state === 'proved') assert.ok(credited.disk_bytes <= 64 << 20, `${credited.disk_bytes}`)
  else assert.equal(credited.disk_bytes, 0)
})

test('the session is public: panel, beacon, verdict', async () => {
  const list = (await proofs('&outcome=passed')).filter((p) => p.device === 'host')
  const proof = await tenant.get(`/v1/proofs/${list.at(-1).id}`)
  assert.equal(proof.kind, 'registration')
  assert.equal(proof.device, 'host')
  assert.deepEqual(proof.members.map((m) => m.checker.toLowerCase()).sort(), checkers.map((c) => c.address.toLowerCase()).sort())
  for (const member of proof.members) assert.match(member.mark, /valid|deviating/)
  assert.equal(proof.verdict.bits, 31)
  assert.equal(proof.own_bits, 31)
})

test('the beacon was committed to before: each value hashes to the one before', async () => {
  const first = await tenant.get('/v1/beacon')
  const second = await until('a later value', async () => {
    const now = await tenant.get('/v1/beacon')
    return now.slot > first.slot && now
  })
  let value = Buffer.from(second.value.slice(2), 'hex')
  for (let i = second.slot; i > first.slot; i--) value = createHash('sha256').update(value).digest()
  if (second.chain.first === first.chain.first) assert.equal(value.toString('hex'), first.value.slice(2))
})

test('anybody replays it offline and gets the same verdict, byte for byte', async () => {
  const id = (await proofs('&outcome=passed'))[0].id
  const { record } = await tenant.get(`/v1/proofs/${id}/record`)
  const file = join(network.dir, 'record')
  const bytes = Buffer.from(record, 'base64url')
  await writeFile(file, bytes)
  const run = spawnSync(bin, ['popw', 'verify', file], { encoding: 'utf8', env: { ...process.env, KAISAR_URL: '' } })
  assert.equal(run.status, 0, run.stderr)
  assert.match(run.stderr, /the verdict holds: .*all is as the machine claimed/)
  assert.deepEqual(JSON.parse(run.stdout), (await tenant.get(`/v1/proofs/${id}`)).verdict)
  const fetched = spawnSync(bin, ['popw', 'verify', id], { encoding: 'utf8', env: { ...process.env, KAISAR_URL: network.url } })
  assert.equal(fetched.stdout, run.stdout, fetched.stderr)
  bytes[bytes.length >> 1] ^= 1
  await writeFile(file, bytes)
  assert.notEqual(spawnSync(bin, ['popw', 'verify', file]).status, 0)
})

test('the record is anchored, and anybody checks it on the chain, too', async () => {
  const [{ id }] = (await proofs('&outcome=passed')).slice(-1)
  const verify = (what) => spawnSync(bin, ['popw', 'verify', '--rpc', chain.url, what], { encoding: 'utf8', env: { ...process.env, KAISAR_URL: network.url } })
  const run = await until('its root to be final', () => {
    const run = verify(id)
    return run.status === 0 && run
  }, 60000)
  assert.deepEqual(JSON.parse(run.stdout), (await tenant.get(`/v1/proofs/${id}`)).verdict)
  assert.match(run.stderr, /On chain 3338: under root \d+ of 0x.*\(final\)/)
  const file = join(network.dir, 'kept')
  await writeFile(file, Buffer.from((await tenant.get(`/v1/proofs/${id}/record`)).record, 'base64url'))
  assert.equal(verify(file).status, 0)
})

test('it is checked again at random times, and its disk too', async () => {
  await until('a standby session', async () => (await proofs('&outcome=passed')).some((p) => p.kind === 'standby'), slow)
  await until('the disk to be proved', async () => (await worker()).devices.find((d) => d.kind === 'disk')?.state === 'proved', slow)
  assert.equal((await host()).due_at, null, 'its owner must not know when it is checked next')
  const disk = (await proofs('&outcome=passed')).find((p) => p.device === 'disk')
  assert.equal(disk.class, '', 'a disk claims no class')
  const shown = spawnSync(bin, ['popw', 'show', disk.id, '--url', network.url], { encoding: 'utf8' })
  assert.match(shown.stdout, /^earned class +-$/m, 'and earns none')
  await standardAgrees(disk.id)
})

test('bandwidth is measured where the machine says how to be reached', async () => {
  await until('figures', async () => (await host()).down_kbps > 0 && (await host()).up_kbps > 0, slow)
})

test('while rented it is checked lightly, and the rental goes on', async () => {
  const rental = await tenant.post('/v1/rentals', order, 201)
  await until('it to run', async () => (await tenant.get(`/v1/rentals/${rental.id}`)).state === 'running')
  const begun = Date.now()
  const light = await until('a session of a rented machine', async () =>
    (await proofs('&outcome=passed')).find((p) => p.kind === 'rented' && Date.parse(p.started_at) >= begun - 1000), slow)
  await standardAgrees(light.id)
  assert.equal((await tenant.get(`/v1/rentals/${rental.id}`)).state, 'running')
  await tenant.post(`/v1/rentals/${rental.id}/stop`, {})
  await until('it to stop', async () => (await tenant.get(`/v1/rentals/${rental.id}`)).state === 'stopped')
  const bill = await tenant.get(`/v1/bills/${rental.id}`)
  assert.deepEqual(bill.leases[0].excuses, [])
})

test('a control plane killed during a session states its end, and repeats it', async () => {
  const before = new Set((await proofs()).map((p) => p.id))
  const live = await until('a live session', async () => (await proofs()).find((p) => p.state === 'live' && !before.has(p.id)), slow)
  await network.server.kill()
  await network.startServer()
  const proof = await tenant.get(`/v1/proofs/${live.id}`)
  assert.notEqual(proof.state, 'live')
  assert.match(proof.phase, /^(commit|nonces|fill|walk|matrix|open|result|reveal)$/)
  await until('a later session to pass', async () =>
    (await proofs('&outcome=passed')).some((p) => p.started_at > live.started_at), slow)
})

test('a worker killed during a session: a stated end, and it is proved again later', async () => {
  const live = await until('a live session', async () => (await proofs()).find((p) => p.state === 'live'), slow)
  await agent.program.kill()
  const proof = await until('its end', async () => {
    const now = await tenant.get(`/v1/proofs/${live.id}`)
    return now.state !== 'live' && now
  }, slow)
  assert.ok(proof.reason, 'it has a reason')
  network.runAgent(agent)
  await until('a later session to pass', async () =>
    (await proofs('&outcome=passed')).some((p) => p.started_at > proof.ended_at), slow)
})

test('checkers see what they did; a silent one is silent, not wrong', async () => {
  const tasks = (await checkers[0].owner.get(`/v1/checkers/${checkers[0].address}/tasks`)).items
  assert.ok(tasks.length > 0 && tasks.every((t) => t.mark !== 'wrong'))
  const row = await checkers[0].owner.get(`/v1/checkers/${checkers[0].address}`)
  assert.ok(row.valid > 0)
  assert.equal(row.wrong, 0)
})
