// A whole network of one test: a control plane on a store of its own, agents on the suite's container
// engine, people with wallets. Everything is started on free ports in a temporary folder and ended
// by process id.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { callEngine } from './engine.js'
import { Person } from './person.js'

export const bin = process.env.KAISAR_BIN ?? 'build/asan/src/cmd/kaisar'
export const engine = process.env.KAISAR_TEST_ENGINE
export const demoImage = 'localhost/kaisar/demo:1'

// Short periods, so that deadlines and graces happen while a test waits.
const quick = {
  proof_required: 0,
  heartbeat_ms: 300, charge_every_ms: 1000, offline_after_ms: 2000, lost_after_ms: 6000,
  place_deadline_ms: 8000, start_deadline_ms: 20000, pull_deadline_ms: 30000, stop_deadline_ms: 20000,
  hold_seconds: 5, proof_host_mib: 1, proof_disk_mib: 1, poll_after_ms: 0,
}

export async function freePort() {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

// Asks until the answer is true; says what it waited for when the time is over.
export async function until(what, ask, timeoutMs = 20000) {
  const deadline = Date.now() + timeoutMs
  let last
  while (Date.now() < deadline) {
    last = await ask()
    if (last) return last
    await sleep(50)
  }
  throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
}

// A program of ours, with its output kept for when something goes wrong.
export class Program {
  constructor(name, args, env = {}, program = bin) {
    this.name = name
    this.output = ''
    this.stdout = ''
    this.child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout.on('data', (bytes) => { this.stdout += bytes; this.output += bytes })
    this.child.stderr.on('data', (bytes) => { this.output += bytes })
    this.ended = new Promise((resolve) => this.child.on('close', (code, signal) => resolve({ code, signal })))
    this.ended.then((end) => { this.end = end })
  }

  async says(text, timeoutMs = 20000) {
    await until(`${this.name} to say "${text}"`, () => {
      if (this.end) throw new Error(`${this.name} ended with ${JSON.stringify(this.end)}:\n${this.output}`)
      return this.output.includes(text)
    }, timeoutMs)
  }

  async kill(signal = 'SIGKILL') {
    if (!this.end) this.child.kill(signal)
    return this.ended
  }

  // Ends in an orderly way; a sanitizer's report or an unclean exit fails the test.
  async stop() {
    const end = await this.kill('SIGTERM')
    if (end.code !== 0) throw new Error(`${this.name} ended with ${JSON.stringify(end)}:\n${this.output.slice(-20000)}`)
  }
}

// Of its own, on PostgreSQL; null: the tests run on SQLite.
export async function emptyDatabase() {
  if (process.env.KAISAR_TEST_STORE !== 'postgres') return null
  const base = process.env.KAISAR_TEST_POSTGRES
  const name = `t${process.pid}_${Math.random().toString(36).slice(2, 10)}`
  const psql = spawn(join(process.env.KAISAR_TEST_POSTGRES_BIN, 'psql'), ['-q', base, '-c', `CREATE DATABASE ${name}`],
    { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = await once(psql, 'close')
  if (code !== 0) throw new Error('psql could not create a database')
  return base.replace('/postgres?', `/${name}?`)
}

export class Network {
  // @options: further ones of `kaisar server`.
  static async start(settings = {}, options = []) {
    const network = new Network()
    network.dir = await mkdtemp(join(tmpdir(), 'kaisar-net-'))
    network.port = await freePort()
    network.url = `http://127.0.0.1:${network.port}`
    network.domain = `127.0.0.1:${network.port}`
    network.settings = { ...quick, ...settings }
    network.options = options
    network.db = await emptyDatabase()
    network.agents = []
    network.checkers = []
    network.operator = new Person(network, privateKeyToAccount(generatePrivateKey()))
    await network.startServer().catch(async (error) => { await network.server.kill(); throw error })
    return network
  }

  async startServer() {
    const args = ['server', '--listen', `127.0.0.1:${this.port}`, '--data', join(this.dir, 'server'),
      '--operator', this.operator.address, '--peer-rate', '0', ...this.options]
    if (this.db) args.push('--db', this.db)
    for (const [name, value] of Object.entries(this.settings)) args.push('--set', `${name}=${value}`)
    this.server = new Program('server', args)
    await this.server.says('serving')
    this.address ??= (await this.operator.get('/v1/network')).network
  }

  person() {
    return new Person(this, privateKeyToAccount(generatePrivateKey()))
  }

  // Somebody who signed in and has money.
  async tenant(amount = '10') {
    const tenant = this.person()
    await tenant.login()
    if (amount) await this.credit(tenant, amount)
    return tenant
  }

  async credit(person, amount) {
    if (!this.operator.token) await this.operator.login()
    await this.operator.post('/v1/admin/credits', { account: person.address, amount, key: `k${Math.random()}`, memo: 'test' }, 201)
  }

  // A provider whose machine is online with a price. Each agent has a state folder of its own.
  async worker({ coreHour = '3.6', gpuHour, provider, cdi, env, options = [], socket = engine } = {}) {
    provider ??= await this.tenant(null)
    const { token } = await provider.post('/v1/workers/tokens', {}, 201)
    const address = (await readFile(join(dirname(socket), 'address'), 'utf8')).trim()
    const agent = { provider, socket, address, dir: join(this.dir, `agent${this.agents.length}`), cdi, env, options }
    this.agents.push(agent)
    const join_ = new Program('join', ['worker', 'join', this.url, token, '--name', 'test', '--state', agent.dir])
    const end = await join_.ended
    if (end.code !== 0) throw new Error(`join failed: ${join_.output}`)
    this.runAgent(agent)
    agent.machine = await until('the machine to be online', async () => {
      const { items } = await provider.get('/v1/workers')
      const seen = items.find((w) => w.state === 'online' && !this.agents.some((a) => a !== agent && a.machine === w.machine))
      return seen?.machine
    })
    await provider.patch(`/v1/workers/${agent.machine}`, gpuHour ? { gpu_hour: gpuHour } : { core_hour: coreHour })
    return agent
  }

  runAgent(agent) {
    agent.program = new Program('agent', ['worker', 'run', '--state', agent.dir, '--engine', `unix://${agent.socket}`,
      '--public-address', agent.address, ...(agent.cdi ? ['--cdi', agent.cdi] : []), ...agent.options], agent.env)
  }

  // A checker node of @owner's, linked; with licences it is given tasks. @program: another than the real one.
  async checker({ owner, licences = 1, program } = {}) {
    owner ??= await this.tenant(null)
    const key = await owner.post('/v1/api-keys', { name: 'checker', permissions: ['account'] }, 201)
    const checker = { owner, dir: join(this.dir, `checker${this.checkers.length}`), name: `checker ${this.checkers.length}` }
    const create = new Program('checker create', ['checker', 'create', this.url, '--state', checker.dir, '--name', checker.name],
      { KAISAR_API_KEY: key.key, KAISAR_HOME: this.dir })
    const end = await create.ended
    if (end.code !== 0) throw new Error(`checker create failed: ${create.output}`)
    checker.address = /0x[0-9a-fA-F]{40}/.exec(create.output)[0]
    this.checkers.push(checker)
    if (licences) await this.license(checker, licences)
    this.runChecker(checker, program)
    await until('the checker to be linked', async () => (await owner.get(`/v1/checkers/${checker.address}`)).seen_at)
    return checker
  }

  runChecker(checker, program = (name, state) => new Program(name, ['checker', 'run', '--state', state])) {
    checker.program = program(checker.name, checker.dir)
  }

  // @licences that count; on a network with a chain the test says how (deployment.js: licensing).
  async license(checker, licences) {
    if (this.licensing) return this.licensing(checker, licences)
    if (!this.operator.token) await this.operator.login()
    await this.operator.call('PUT', `/v1/admin/checkers/${checker.address}`, { licences }, 200)
  }

  async statusOf(checker) {
    return (await checker.owner.get(`/v1/checkers/${checker.address}`)).status
  }

  // Ends everything in order; what leaked or broke fails here.
  async stop() {
    try {
      for (const checker of this.checkers) if (checker.program && !checker.program.end) await checker.program.stop()
      for (const agent of this.agents) if (agent.program && !agent.program.end) await agent.program.stop()
      if (!this.server.end) await this.server.stop()
    } finally {
      await this.removeContainers()
      await rm(this.dir, { recursive: true, force: true })
    }
  }

  async removeContainers() {
    if (!this.agents.length) return
    for (const socket of new Set(this.agents.map((agent) => agent.socket)))
      for (const container of await labelled(socket))
        if (container.Labels['kaisar.network']?.toLowerCase() === this.address.toLowerCase())
          await engineCall('DELETE', `/containers/${container.Id}?force=true`, socket)
  }
}

// The engine itself, to see what is really there and to break it.
export function engineCall(method, path, socket = engine) {
  return callEngine(socket, method, path)
}

function labelled(socket) {
  return engineCall('GET', `/containers/json?all=true&filters=${encodeURIComponent('{"label":["kaisar.lease"]}')}`, socket)
}

export async function containersOf(rental, socket) {
  const all = await labelled(socket)
  return all.filter((c) => c.Labels['kaisar.rental'] === rental)
}

export { writeFile, readFile, join }
