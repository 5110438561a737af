// A machine that cannot be reached while it is rented: what a majority of its watchers saw is not charged,
// although its container went on, and anybody can compute it again from what they signed.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { checkBill, checkHour } from './lib/bill.js'
import { Network, Program, demoImage, sleep, until, writeFile } from './lib/network.js'

const slow = 120000
const hourMs = 10000
const settings = {
  proof_required: 1, panel_registration: 3, panel_standing: 3, panel_appeal: 3, panel_least: 3, beacon_slot_ms: 500,
  proof_standby_ms: 600000, proof_rented_ms: 600000, proof_planted_ms: 0, proof_retry_ms: 1000, proof_nonce_ms: 3000,
  proof_result_ms: 8000, proof_bandwidth_ms: 0, offline_after_ms: 60000, lost_after_ms: 120000,
  poll_every_ms: 200, watch_hour_ms: hourMs, uptime_grace_ms: hourMs,
}
const order = { image: demoImage, cpu_milli: 200, memory: '32MiB', disk: '64MiB', stop_timeout_s: 1 }
const awayMs = 8000 // polls are given up after five seconds
let network, checkers, tenant, agent, rental

const bill = () => tenant.get(`/v1/bills/${rental.id}`)
const evidence = (hour) => tenant.get(`/v1/uptime/${agent.machine}/${hour}`)

async function watched() {
  const { json } = await tenant.raw('GET', `/v1/uptime/${agent.machine}/${Math.floor(Date.now() / hourMs)}`)
  return json.watchers?.length === 3
}

// Stops the agent for a while, and @mute checkers, too; when that was. Early in an hour, so that one hour sees most
// of it: watchers say nothing of the moments before they are drawn.
async function leave(mute) {
  await until('three watchers', async () => await watched() && Date.now() % hourMs < hourMs - awayMs + 2000, slow)
  const from = Date.now()
  for (const checker of mute) checker.program.child.kill('SIGSTOP')
  agent.program.child.kill('SIGSTOP')
  await sleep(awayMs)
  agent.program.child.kill('SIGCONT')
  await sleep(2000)
  for (const checker of mute) checker.program.child.kill('SIGCONT')
  return { from, until: Date.now() }
}

// All evidence of a time, when its last hour is over; @holes: of hours in which anybody was drawn.
async function evidenceOf(time, holes = false) {
  const found = []
  for (let hour = Math.floor(time.from / hourMs); hour <= Math.floor(time.until / hourMs); hour++)
    found.push(await until(`hour ${hour} to be over`, async () => {
      const { status, json: seen } = await tenant.raw('GET', `/v1/uptime/${agent.machine}/${hour}`) // 404 until somebody is drawn
      if (holes && status === 404 && Date.now() > (hour + 1) * hourMs) return 'none'
      return seen.state === 'over' && seen
    }, slow))
  return found.filter((seen) => seen !== 'none')
}

before(async () => {
  network = await Network.start(settings)
  checkers = [await network.checker(), await network.checker(), await network.checker()]
  tenant = await network.tenant('50')
  agent = await network.worker()
  await until('it to be proved', async () => (await agent.provider.get(`/v1/workers/${agent.machine}`)).proved, slow)
  rental = await tenant.post('/v1/rentals', { ...order, machine: agent.machine }, 201)
  await until('it to run', async () => (await tenant.get(`/v1/rentals/${rental.id}`)).state === 'running', slow)
})
after(() => network?.stop())

const overlaps = ({ from, until: end }, time) => from < time.until && end > time.from

// Who said that the machine was away in that time.
function whoMissed(hours, time) {
  const said = hours.flatMap((seen) => seen.watchers.filter(({ report }) => report?.away.some((span) => overlaps({
    from: seen.hour * hourMs + span.from_s * 1000, until: seen.hour * hourMs + span.until_s * 1000 }, time))))
  return [...new Set(said.map(({ checker }) => checker))]
}

test('only what a majority of the watchers saw is excused, and the bill says from which hours', async () => {
  // A watcher that was itself late says nothing of that time: then once more.
  let minority, fewer, missed
  for (let i = 0; i < 3 && !missed?.length; i++) {
    minority = await leave(checkers.slice(1))
    fewer = await evidenceOf(minority)
    missed = whoMissed(fewer, minority)
  }
  assert.equal(missed.length, 1, 'one of three missed it')
  const majority = await leave([])
  const more = await evidenceOf(majority)
  for (const seen of [...fewer, ...more]) {
    assert.equal(seen.watchers.length, 3)
    assert.ok(!seen.watchers.some(({ account }) => account === agent.provider.address))
  }

  // Every second that is excused follows from the reports, and every one that follows is excused.
  const excuses = (await bill()).leases[0].excuses
  const hours = [...new Map([...fewer, ...more].map((seen) => [seen.hour, seen])).values()]
  const seconds = (await Promise.all(hours.map((seen) => checkHour(seen, network.address, tenant.address)))).flat()
  const excused = excuses.flatMap(({ from_ms: from, until_ms: end }) =>
    Array.from({ length: (end - from) / 1000 }, (_, i) => from / 1000 + i))
  assert.deepEqual(excused.sort(), seconds.sort())
  assert.ok(seconds.length > 0, 'something is excused')
  for (const excuse of excuses) {
    assert.equal(excuse.proof, null)
    assert.ok(excuse.from_ms >= excuse.hour * hourMs && excuse.until_ms <= (excuse.hour + 1) * hourMs)
    assert.ok(excuse.from_ms >= majority.from - 1000 && excuse.until_ms <= majority.until, 'the minority excused nothing')
  }
})

// The network dies in an hour and is back when that hour is not even the last one. Its checkers are there at once, the
// machine is not.
test('while the network was away nobody is found away, and what was seen before can be said afterwards', async () => {
  const before = (await bill()).leases[0].excuses
  const pollAfterMs = 14000, graceMs = 5000
  await until('three watchers', async () => await watched() && Date.now() % hourMs > hourMs - 2500, slow)
  const hour = Math.floor(Date.now() / hourMs), from = Date.now()
  await network.server.kill()
  agent.program.child.kill('SIGSTOP')
  await Promise.all(checkers.map((checker) => checker.program.stop()))
  Object.assign(network.settings, { poll_after_ms: pollAfterMs, uptime_grace_ms: graceMs })
  await sleep((hour + 2) * hourMs - Date.now())
  const back = Date.now()
  await network.startServer()
  for (const checker of checkers) network.runChecker(checker)
  await sleep(7500) // long enough for polls to be given up
  agent.program.child.kill('SIGCONT')

  const seen = await until(`hour ${hour} to be over`, async () => {
    const found = await evidence(hour)
    return found.state === 'over' && found
  }, slow)
  assert.ok(Date.now() - back >= pollAfterMs + graceMs, 'the grace began when machines could be back')
  assert.equal(seen.watchers.length, 3)
  for (const { report } of seen.watchers) assert.ok(report?.polls > 0, 'what was seen before is said')
  for (const found of await evidenceOf({ from, until: back + pollAfterMs }, true)) {
    await checkHour(found, network.address, tenant.address)
    for (const { report } of found.watchers)
      for (const span of report?.away ?? [])
        assert.ok(found.hour * hourMs + span.until_s * 1000 <= from || found.hour * hourMs + span.from_s * 1000 >= back + pollAfterMs,
          `away from ${span.from_s} to ${span.until_s} in hour ${found.hour}`)
  }
  assert.deepEqual((await bill()).leases[0].excuses, before)
})

test('the machine reports all the time, and the bill without what is excused holds', async () => {
  assert.equal((await tenant.get(`/v1/rentals/${rental.id}`)).state, 'running')
  await tenant.post(`/v1/rentals/${rental.id}/stop`, {})
  await until('it to stop', async () => (await tenant.get(`/v1/rentals/${rental.id}`)).state === 'stopped')
  await until('the last record', async () => (await bill()).leases[0].usage?.final)
  const whole = await bill()
  const [{ usage, excuses }] = whole.leases
  const excused = excuses.reduce((sum, { from_ms: from, until_ms: end }) => sum + end - from, 0)
  const { seconds } = await checkBill(whole, network.address)
  assert.ok(usage.seconds >= 2 * awayMs / 1000, 'the container ran on')
  assert.equal(seconds, Math.min(usage.seconds, seconds + Math.floor(excused / 1000)) - Math.floor(excused / 1000))
  assert.ok(seconds < usage.seconds)
  assert.ok((await network.operator.get('/v1/admin/ledger')).balanced)

  const file = join(network.dir, 'bill.json')
  await writeFile(file, JSON.stringify(whole))
  const verified = new Program('verify-bill', ['verify-bill', file])
  assert.equal((await verified.ended).code, 0, verified.output)
  assert.match(verified.output, new RegExp(`kaisar popw uptime ${agent.machine} ${excuses[0].hour}`, 'i'))
})

test('anybody computes an hour again from what was signed, and sees what was changed', async () => {
  const { hour } = (await bill()).leases[0].excuses[0]
  const file = join(network.dir, 'hour.json')
  const run = async (...words) => {
    const program = new Program('popw-uptime', ['popw', 'uptime', ...words])
    const { code } = await program.ended
    return { code, said: program.output }
  }
  const fetched = await run(agent.machine, String(hour), '--url', network.url, '--save', file)
  assert.equal(fetched.code, 0, fetched.said)
  assert.match(fetched.said, /Away from .*Z to .*Z\.\nHour \d+ holds: 2 of 3 must have missed the machine/)
  assert.deepEqual(await run(file), fetched)
  const seen = await evidence(hour)
  const changes = [
    (copy) => { copy.watchers[0].report.away.push({ from_s: 9, until_s: 10 }) },
    (copy) => { copy.watchers[1].report.answered -= 1 },
    (copy) => { copy.watchers[2].checker = agent.provider.address },
    (copy) => { copy.unusable[0].until_s += 1 },
    (copy) => { copy.hour += 1 },
    (copy) => { copy.network = tenant.address },
  ]
  for (const change of changes) {
    const copy = structuredClone(seen)
    change(copy)
    await writeFile(file, JSON.stringify(copy))
    const changed = await run(file)
    assert.equal(changed.code, 1, changed.said)
    assert.match(changed.said, /does NOT hold/)
  }
  await writeFile(file, '{"network": 7}')
  assert.match((await run(file)).said, /This is no hour of watching: network /)
  assert.equal((await run(agent.machine, '1', '--url', network.url)).code, 3)
})
