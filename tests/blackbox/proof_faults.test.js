// Who cheats in a proof, and what comes of it: checkers that lie or say nothing, a prover that falsifies its
// answers, a card that is not what it says, a machine that fails while it is rented.
import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { checkBill } from './lib/bill.js'
import { Network, Program, bin, demoImage, sleep, until } from './lib/network.js'

const slow = 120000
const settings = {
  proof_required: 1, panel_registration: 3, panel_standing: 3, panel_appeal: 5, panel_least: 3, beacon_slot_ms: 500,
  proof_standby_ms: 3000, proof_rented_ms: 1000, proof_planted_ms: 0, proof_retry_ms: 1000, proof_nonce_ms: 3000,
  proof_result_ms: 8000, poll_every_ms: 2000, proof_bandwidth_ms: 0, offline_after_ms: 10000, lost_after_ms: 60000,
}
const order = { image: demoImage, cpu_milli: 200, memory: '32MiB', disk: '64MiB', stop_timeout_s: 1 }
const fakes = join(dirname(bin), '../../tests/fake')
const prover = resolve('tests/fake/fake_prover.py')
let network, honest, tenant, operators

before(async () => {
  network = await Network.start(settings)
  honest = [await network.checker(), await network.checker(), await network.checker()]
  tenant = await network.tenant('50')
  operators = (await network.operator.post('/v1/api-keys', { name: 'operator', permissions: ['operator', 'account'] }, 201)).key
})
after(() => network?.stop())

const worker = (agent) => agent.provider.get(`/v1/workers/${agent.machine}`)
const device = async (agent, kind = 'host') => (await worker(agent)).devices.find((d) => d.kind === kind) ?? {}
const proofs = async (agent, query = '') => (await tenant.get(`/v1/proofs?machine=${agent.machine}${query}`)).items
// Two agents at one engine take each other's containers for left-overs: none may outlive a test that failed.
const machine = async (t, options) => {
  const agent = await network.worker(options)
  t.after(() => agent.program.stop())
  return agent
}
const proved = (agent) => until('the machine to be proved', async () => (await worker(agent)).proved, slow)

// What an operator's command prints. -o json: read.
async function admin(...args) {
  const run = new Program('kaisar', args, { KAISAR_URL: network.url, KAISAR_HOME: network.dir, KAISAR_API_KEY: operators })
  assert.equal((await run.ended).code, 0, run.output)
  return args.includes('json') ? JSON.parse(run.stdout) : run.stdout
}

// What the provider's `kaisar worker status` prints.
async function status(agent) {
  const { key } = await agent.provider.post('/v1/api-keys', { name: 'status', permissions: ['worker.read'] }, 201)
  const run = new Program('kaisar', ['worker', 'status'], { KAISAR_URL: network.url, KAISAR_HOME: network.dir, KAISAR_API_KEY: key })
  assert.equal((await run.ended).code, 0, run.output)
  return run.stdout
}

// A cheat of tests/fake/fake_checker.c in place of the real program.
const cheat = (word) => (name, state) => new Program(name, [state, word], {}, join(fakes, 'fake-checker'))

test('a prover that falsifies its answers fails, exactly, and is never offered', async (t) => {
  const agent = await machine(t, { options: ['--prover', prover], env: { KAISAR_BIN: bin } })
  const seen = await until('it to fail', async () => {
    const now = await device(agent)
    return now.state === 'failed' && now
  }, slow)
  assert.match(seen.reason, /exact part does not hold/)
  assert.equal((await worker(agent)).proved, false)
  const proof = await tenant.get(`/v1/proofs/${seen.proof}`)
  assert.equal(proof.state, 'failed')
  assert.notEqual(proof.verdict.bits, 31)
  for (const member of proof.members) assert.match(member.mark, /valid|deviating/)
  assert.equal((await tenant.get('/v1/offers?gpus=0')).items.length, 0)
  // Its owner is told what may be done about it, and until when.
  assert.match(await status(agent), / host .* the exact part does not hold: .*; until \S+Z `kaisar popw appeal prf-\S+` asks for another look /)
})

test('a prover that dies or hangs ends the session with a reason', async (t) => {
  const agent = await machine(t, { options: ['--prover', prover], env: { KAISAR_BIN: bin, FAKE_PROVER: 'die' } })
  const seen = await until('it to fail', async () => {
    const now = await device(agent)
    return now.failures > 0 && now
  }, slow)
  assert.notEqual(seen.state, 'proved')
  assert.match(seen.reason, /prover_failed/)
})

test('a card that cannot hold its data set is not proved, and its machine is not offered', async (t) => {
  const agent = await machine(t, {
    gpuHour: '7.2', options: ['--gpu-backend', 'cpu'], env: { LD_LIBRARY_PATH: fakes },
  })
  await until('the host to be proved', async () => (await device(agent)).state === 'proved', slow)
  const seen = await until('the card to fail', async () => {
    const now = await device(agent, 'gpu')
    return now.state === 'failed' && now
  }, slow)
  assert.match(seen.reason, /no_memory/)
  assert.equal((await worker(agent)).proved, false)
  assert.deepEqual((await tenant.get('/v1/offers?gpus=1')).items, [])
})

test('a machine that fails while it is rented is flagged, and its tenant pays nothing for that time', async (t) => {
  const lies = join(network.dir, 'lies')
  const agent = await machine(t, { options: ['--prover', prover], env: { KAISAR_BIN: bin, FAKE_PROVER_FROM: lies } })
  await proved(agent)
  const rental = await tenant.post('/v1/rentals', { ...order, machine: agent.machine }, 201)
  await until('it to run', async () => (await tenant.get(`/v1/rentals/${rental.id}`)).state === 'running')
  await until('it to be checked while rented', async () =>
    (await proofs(agent, '&outcome=passed')).some((p) => p.kind === 'rented'), slow)
  await writeFile(lies, '')
  const failed = await until('a failed session', async () => (await proofs(agent, '&outcome=failed'))[0], slow)
  assert.equal(failed.kind, 'rented')
  assert.equal((await worker(agent)).proved, false)
  const during = await until('the excuse', async () => (await tenant.get(`/v1/bills/${rental.id}`)).leases[0].excuses[0], slow)
  assert.equal(during.until_ms, 0)
  assert.equal(during.proof, failed.id)
  await sleep(3000)
  await rm(lies)
  await until('the excuse to end', async () => (await tenant.get(`/v1/bills/${rental.id}`)).leases[0].excuses[0].until_ms > 0, slow)
  assert.equal((await tenant.get(`/v1/rentals/${rental.id}`)).state, 'running')
  const still = await device(agent)
  assert.equal(still.state, 'failed')
  assert.match(still.reason, /exact part does not hold/)
  assert.equal((await tenant.get(`/v1/proofs/${still.proof}`)).state, 'failed', 'what it says, not the last that passed')
  await tenant.post(`/v1/rentals/${rental.id}/stop`, {})
  await until('it to stop', async () => (await tenant.get(`/v1/rentals/${rental.id}`)).state === 'stopped')
  await until('the last record', async () => (await tenant.get(`/v1/bills/${rental.id}`)).leases[0].usage?.final)
  const bill = await tenant.get(`/v1/bills/${rental.id}`)
  const { seconds } = await checkBill(bill, network.address)
  assert.ok(seconds <= bill.leases[0].usage.seconds - 3, `${seconds} of ${bill.leases[0].usage.seconds} are charged`)
  assert.ok((await network.operator.get('/v1/admin/ledger')).balanced)
})

// Against a session that passed: the liar asks first and is heard in vain, and the machine's owner is heard all the same.
async function appealBySides(proof, liar, agent) {
  const appeal = (by, status) => by.post(`/v1/proofs/${proof}/appeal`, {}, status)
  const state = async (side) => (await tenant.get(`/v1/proofs/${proof}`)).appeals[side]
  await appeal(tenant, 403)
  assert.equal((await appeal(liar.owner, 202)).appeals.owner, null)
  assert.match((await appeal(liar.owner, 409)).title, /heard once, all together/)
  await until('the hearing', async () => (await state('checkers')).state === 'upheld', slow)
  const heard = (await liar.owner.get('/v1/events')).items.filter((e) => e.type === 'proof.appeal_decided')
  assert.deepEqual(heard.map((e) => [e.subject, e.data.checker, e.data.cleared]), [[proof, liar.address, false]])

  assert.ok((await tenant.get(`/v1/proofs/${proof}`)).appeal_until)
  await appeal(agent.provider, 202)
  assert.match((await appeal(agent.provider, 409)).title, /appeals against a session once/)
  network.runChecker(honest[2])
  const { session } = await until('the second look', async () => {
    const now = await state('owner')
    return now.state === 'upheld' && now
  }, slow)
  const again = await tenant.get(`/v1/proofs/${session}`)
  assert.deepEqual([again.kind, again.parent, again.state, again.appeal_until], ['appeal', proof, 'passed', null])
  await agent.provider.post(`/v1/proofs/${session}/appeal`, {}, 409)
  const shown = await admin('popw', 'show', proof)
  assert.match(shown, new RegExp(`^owner's appeal +upheld\nheld for it +${session}\ncheckers' appeal +upheld$`, 'm'))
  assert.match(await admin('popw', 'show', session), new RegExp(`^held for an appeal against +${proof}$`, 'm'))
  await honest[2].program.stop()
}

test('a liar among three is wrong, and banned after two; a silent one is only silent', async (t) => {
  const agent = await machine(t)
  await proved(agent)
  await honest[2].program.stop()
  const liar = await network.checker({ program: cheat('lie') })
  const wrong = async () => (await network.operator.get('/v1/admin/checkers')).items.find((c) => c.checker === liar.address)
  await until('it to be banned', async () => (await wrong()).status === 'banned', slow)
  const row = await wrong()
  assert.ok(row.wrong >= 2)
  assert.match(row.ban.reason, /one month/)
  const tasks = (await liar.owner.get(`/v1/checkers/${liar.address}/tasks`)).items
  const mark = tasks.find((t) => t.mark === 'wrong')
  assert.equal((await tenant.get(`/v1/proofs/${mark.proof}`)).state, 'passed', 'the majority was right')
  // An operator finds the ban, what it rests on, and the panels that saw it.
  assert.deepEqual((await admin('admin', 'checkers', '--banned', '-o', 'json')).map((c) => c.checker), [liar.address])
  assert.match(await admin('admin', 'checkers', '--banned'), /banned +\S+Z +2 wrong results within a week: one month/)
  assert.match(await admin('checker', 'tasks', liar.address), new RegExp(`${mark.proof} .* wrong`))
  const shown = await admin('popw', 'show', mark.proof)
  assert.match(shown, new RegExp(`^${liar.address} +1 +wrong$`, 'm'))
  assert.match(shown, /^panel +3\npanel wanted +3\nbits by the panel +31\nbits by the network +31\ndisagreement +no\nplanted +no$/m)
  await tenant.get(`/v1/checkers/${liar.address}/tasks`, 404)
  // Its own log says so, too; and again when it comes back.
  await liar.program.says('checker.banned')
  assert.match(liar.program.output, /checker\.marked proof=prf-\S+ mark=wrong why=.* remedy=.*kaisar popw appeal/)
  assert.match(liar.program.output, /checker\.banned until=\S+Z why=.*2 wrong results within a week: one month/)
  await liar.program.stop()
  network.runChecker(liar)
  await liar.program.says('checker.banned')
  await liar.program.stop()
  await appealBySides(mark.proof, liar, agent)

  const mute = await network.checker({ program: cheat('silent') })
  await until('it to be marked silent', async () =>
    (await mute.owner.get(`/v1/checkers/${mute.address}/tasks`)).items.some((t) => t.mark === 'silent'), slow)
  assert.equal((await network.operator.get('/v1/admin/checkers')).items.find((c) => c.checker === mute.address).wrong, 0)
  await mute.program.stop()
  network.runChecker(honest[2])
})

test('planted sessions catch who calls everything valid', async () => {
  await network.server.stop()
  network.settings.proof_planted_ms = 500
  await network.startServer()
  const lazy = await network.checker({ program: cheat('lie') })
  const planted = await until('a planted session', async () =>
    (await network.operator.get('/v1/admin/proofs')).items.find((p) => p.planted && p.state === 'failed'), slow)
  const whole = await tenant.get(`/v1/proofs/${planted.id}`)
  assert.notEqual(whole.verdict.bits, 31)
  assert.equal((await tenant.get('/v1/proofs')).items.some((p) => p.planted), false, 'lists do not tell')
  const listed = await admin('admin', 'proofs', '--planted', '-o', 'json')
  assert.ok(listed.some((p) => p.id === planted.id) && listed.every((p) => p.planted))
  assert.match(await admin('popw', 'show', planted.id), /^planted +yes$/m)
  await admin('admin', 'proofs', '--planted', '--disagreements', '--outcome', 'failed', '--limit', '3')

  // Two of three say what is not so: nobody is marked, and an operator sees it. (The first liar may be banned by now.)
  for (const checker of [lazy, ...honest.slice(1)]) await checker.program.stop()
  const liars = [await network.checker({ program: cheat('lie') }), await network.checker({ program: cheat('lie') })]
  const disputed = await until('a disagreement', async () =>
    (await admin('admin', 'proofs', '--disagreements', '-o', 'json')).find((p) => p.planted), slow)
  assert.ok(disputed.disagreement)
  assert.match(await admin('admin', 'proofs', '--disagreements'), new RegExp(`${disputed.id} .*\\bhost +standby .* 3 +3 +yes +yes `))
  for (const liar of liars) await liar.program.stop()
})
