// Several instances of the control plane on one PostgreSQL, behind a real HAProxy: any one may be killed, stopped for a while or
// ended, and what only one may do at a time is taken over, once.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Balancer } from './lib/balancer.js'
import { Network, Program, demoImage, freePort, join, sleep, until } from './lib/network.js'
import { Rentals } from './lib/rentals.js'

const skip = process.env.KAISAR_TEST_STORE === 'postgres' ? false : 'a store in a file is one instance\'s'
const dutyMs = 8000 // longer than a busy machine lets a look at the store wait
const order = { image: demoImage, cpu_milli: 200, memory: '32MiB', disk: '256MiB', stop_timeout_s: 1 }
let network, instances, balancer, agent, tenant, rentals

// The first is the network's own.
async function startInstance(it) {
  it.program = new Program(`instance ${it.n}`, ['server', '--listen', `127.0.0.1:${it.port}`, '--data', it.dir, '--keys', join(network.dir, 'server/keys'),
    '--db', network.db, '--url', network.url, '--operator', network.operator.address, '--peer-rate', '0',
    ...Object.entries(network.settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]), ...(it.options ?? [])])
  await it.program.says('serving')
}

const list = async () => (await network.operator.get('/v1/admin/instances')).items
const holds = (row, duty) => row.duties.some((it) => it.duty === duty)
const urlOf = (it) => `http://127.0.0.1:${it.port}`

// The instance that has the duty, among those that are not @but.
async function holder(duty, but) {
  return until(`somebody to have ${duty}`, async () => {
    const row = (await list()).find((it) => holds(it, duty))
    const it = row && instances.find((it) => urlOf(it) === row.url)
    return it && it !== but && it
  }, 60000)
}
const tokens = async () => Object.fromEntries((await list()).flatMap((it) => it.duties.map(({ duty, token }) => [duty, token])))
const isOnline = () => until('the machine to be online', async () => (await agent.provider.get(`/v1/workers/${agent.machine}`)).state === 'online', 60000)

before(async () => {
  if (skip) return
  const port = await freePort(), url = `http://127.0.0.1:${port}`
  network = await Network.start({ duty_ms: dutyMs, offline_after_ms: 30000, lost_after_ms: 90000 }, ['--url', url])
  instances = [{ n: 0, port: network.port, dir: join(network.dir, 'server'), program: network.server }]
  Object.assign(network, { url, domain: `127.0.0.1:${port}` })
  for (let n = 1; n < 3; n++) {
    instances.push({ n, port: await freePort(), dir: join(network.dir, `server${n}`) })
    await startInstance(instances[n])
  }
  balancer = await Balancer.start(network.dir, port, instances)
  await until('the balancer to find an instance', () => fetch(`${network.url}/readyz`).then((it) => it.ok, () => false))
  await network.operator.login()
  agent = await network.worker()
  tenant = await network.tenant()
  rentals = new Rentals(network, tenant)
})
after(async () => {
  if (skip) return
  for (const it of instances.slice(1)) if (!it.program.end) await it.program.stop()
  network.server = instances[0].program
  await network.stop()
  await balancer?.stop()
})

test('instances are listed, each duty has one of them, and all answer', { skip }, async () => {
  const rows = await list()
  assert.deepEqual(rows.map((it) => it.url).sort(), instances.map(urlOf).sort())
  const duties = rows.flatMap((it) => it.duties.map(({ duty }) => duty))
  assert.deepEqual([...duties].sort(), ['api', 'billing', 'chain', 'iam', 'logging', 'nodes', 'rewards', 'vpn'])
  const at = await holder('nodes')
  for (const it of instances) {
    assert.equal((await fetch(`${urlOf(it)}/readyz`)).status, 200)
    assert.equal((await fetch(`${urlOf(it)}/readyz?duty=nodes`)).status, it === at ? 200 : 503)
    assert.equal((await fetch(`${urlOf(it)}/readyz?duty=none`)).status, 503)
  }
})

test('an order given to any instance runs where the machine is linked, and is metered', { skip }, async () => {
  const at = await holder('nodes')
  for (const it of instances) {
    const url = network.url
    network.url = urlOf(it)
    const { id } = await until('this instance to know the machine', () => tenant.raw('POST', '/v1/rentals', order).then(({ status, json }) => status === 201 && json), 90000)
    network.url = url
    await rentals.is(id, 'running')
    await rentals.fits(id, (r) => r.seconds >= 1, 'metered')
    await rentals.endsCleanly(id)
    assert.ok(at)
  }
})

test('kill -9 of the instance with the links: another one goes on, and what ran runs', { skip }, async () => {
  const { id } = await rentals.order(order)
  await rentals.is(id, 'running')
  const [container] = await rentals.containers(id)
  const at = await holder('nodes'), before = await tokens()
  await at.program.kill()
  const next = await holder('nodes', at)
  assert.notEqual(next, at)
  await isOnline()
  const { seconds } = await rentals.get(id)
  await rentals.fits(id, (r) => r.seconds > seconds + 2, 'metered by the next')
  assert.equal((await rentals.containers(id))[0].Id, container.Id)
  await rentals.endsCleanly(id)
  assert.equal((await tokens()).nodes, before.nodes + 1)
  await startInstance(at)
  assert.equal(await holder('nodes'), next)
})

test('an instance that was stopped for a while is relieved, changes nothing, and ends', { skip }, async () => {
  const { id } = await rentals.order(order)
  await rentals.is(id, 'running')
  const at = await holder('nodes')
  at.program.child.kill('SIGSTOP')
  await holder('nodes', at)
  await isOnline()
  at.program.child.kill('SIGCONT')
  assert.equal((await at.program.ended).code, 75, at.program.output)
  assert.match(at.program.output, /server.relieved/)
  assert.equal((await rentals.get(id)).state, 'running')
  await rentals.endsCleanly(id)
  await startInstance(at)
})

test('an instance that ends gives back what it did, and another takes it at once', { skip }, async () => {
  const at = await holder('nodes'), before = await tokens()
  await at.program.stop()
  const next = await holder('nodes', at)
  assert.ok(next)
  assert.equal((await list()).find((it) => it.url === urlOf(at)).state, 'draining')
  await isOnline()
  assert.equal((await tokens()).nodes, before.nodes + 1)
  await startInstance(at)
})

test('an instance that serves some modules has their duties only, and refuses another network\'s keys', { skip }, async () => {
  const some = { n: 9, port: await freePort(), dir: join(network.dir, 'server9'), options: ['--modules', 'billing,logging'] }
  await startInstance(some)
  assert.equal((await fetch(`${urlOf(some)}/v1/rentals`)).status, 404)
  assert.equal((await fetch(`${urlOf(some)}/v1/balance`)).status, 401)
  const row = (await list()).find((it) => it.url === urlOf(some))
  assert.equal(row.modules, 'billing,logging')
  for (const it of instances) await it.program.kill()
  // Alone it takes over what it serves, and nothing else.
  const operatorAt = async () => {
    const answer = await fetch(`${urlOf(some)}/v1/admin/instances`, { headers: { authorization: `Bearer ${network.operator.token}` } })
    return (await answer.json()).items.find((it) => it.url === urlOf(some)).duties.map(({ duty }) => duty).sort()
  }
  await until('it to take over', async () => (await operatorAt()).length >= 3, 60000)
  assert.deepEqual(await operatorAt(), ['api', 'billing', 'logging'])
  await some.program.stop()
  for (const it of instances) await startInstance(it)

  const other = new Program('of another network', ['server', '--listen', `127.0.0.1:${some.port}`, '--data', join(network.dir, 'other'), '--db', network.db])
  assert.equal((await other.ended).code, 1)
  assert.match(other.output, /belongs to the network 0x.*--keys/)
  const odd = new Program('of no module', ['server', '--listen', `127.0.0.1:${some.port}`, '--data', some.dir, '--db', network.db, '--keys', join(network.dir, 'server/keys'), '--modules', 'bilking'])
  assert.equal((await odd.ended).code, 1)
  assert.match(odd.output, /--modules must name modules/)
  await isOnline()
})
