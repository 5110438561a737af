// The mesh VPN with real nebula, each machine in a network namespace of its own: two lighthouses, a gateway, two
// workers, a checker, and attackers. All of it, the control plane too, is in a namespace that ends with the test.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Network, Program, bin, until } from './lib/network.js'

const inside = process.env.KAISAR_VPN_TEST_INSIDE === '1'
const slow = 60000
const exposed = 40000, proof = 7080, ssh = 22
const run = promisify(execFile)

const missing = ['/usr/bin/nebula', '/usr/bin/nebula-cert', '/dev/net/tun'].find((path) => !existsSync(path))

if (!inside) {
  test('the VPN in namespaces', { skip: missing && `${missing} is not there` }, async () => {
    const env = { ...process.env, KAISAR_VPN_TEST_INSIDE: '1', KAISAR_TEST_STORE: 'sqlite' }
    delete env.NODE_TEST_CONTEXT
    const child = spawn('unshare', ['--net', process.execPath, '--test', fileURLToPath(import.meta.url)], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (bytes) => { output += bytes })
    const code = await new Promise((resolve) => child.on('close', resolve))
    assert.equal(code, 0, output)
    process.stdout.write(output.replace(/^/gm, '# '))
  })
}

const ip = (...words) => execFileSync('ip', words)

// A machine: a namespace on the common bridge, and what runs in it.
class Machine {
  static all = []

  static async make(name) {
    const machine = new Machine()
    const n = Machine.all.push(machine)
    machine.name = name
    machine.underlay = `10.99.0.${n}`
    machine.holder = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' })
    const own = readlinkSync('/proc/self/ns/net')
    await until(`${name}'s namespace`, () => {
      try { return readlinkSync(`/proc/${machine.holder.pid}/ns/net`) !== own } catch { return false }
    })
    const pid = String(machine.holder.pid)
    ip('link', 'add', `v${n}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid)
    ip('link', 'set', `v${n}`, 'master', 'hub', 'up')
    for (const words of [['link', 'set', 'lo', 'up'], ['addr', 'add', `${machine.underlay}/24`, 'dev', 'eth0'], ['link', 'set', 'eth0', 'up']])
      execFileSync('nsenter', machine.enter('ip', ...words))
    return machine
  }

  enter(...words) { return [`--net=/proc/${this.holder.pid}/ns/net`, ...words] }

  start(name, program, ...args) {
    return new Program(`${this.name}: ${name}`, this.enter(program, ...args), {}, 'nsenter')
  }

  // Its command of ours that keeps it in the VPN.
  keep(...args) {
    this.keepArgs = args
    this.program = this.start(args.join(' '), bin, ...args)
  }

  async status() {
    const { stdout } = await run(bin, ['vpn', 'status', '--state', this.dir, '-o', 'json']).catch((error) => error)
    return stdout ? JSON.parse(stdout) : {}
  }

  async isUp() {
    const status = await until(`${this.name} to be in the VPN`, async () => {
      if (this.program.end) throw new Error(`${this.name} ended:\n${this.program.output}`)
      const now = await this.status()
      return now.running && now.lighthouses.every((l) => l.state !== 'down') && now
    }, slow)
    this.address = status.address
    return status
  }

  // Answers what it is told, on @port.
  async serve(port) {
    const code = `require('net').createServer((s) => { s.on('error', () => {}); s.pipe(s) }).listen(${port}, '0.0.0.0', () => console.log('ready'))`
    const server = this.start(`port ${port}`, process.execPath, '-e', code)
    await server.says('ready')
    ;(this.servers ??= []).push(server)
  }

  // Whether something answers at @port of @other, over the VPN.
  async reaches(other, port) {
    const code = `const s = require('net').connect(${port}, '${other.address}', () => s.write('x')); s.on('data', () => process.exit(0))
      s.on('error', () => process.exit(3)); setTimeout(() => process.exit(4), 4000)`
    return run('nsenter', this.enter(process.execPath, '-e', code)).then(() => true, () => false)
  }

  // A stream that writes a number a tenth of a second and says each that came back.
  async stream(other, port) {
    const code = `const s = require('net').connect(${port}, '${other.address}', () => setInterval(() => s.write(++n + '\\n'), 100)); let n = 0
      s.on('data', (b) => process.stdout.write(b)); s.on('error', (e) => { console.log('broken', e.code); process.exit(1) })
      s.on('close', () => { console.log('broken'); process.exit(1) })`
    const program = this.start('stream', process.execPath, '-e', code)
    const last = () => Number(program.stdout.trim().split('\n').at(-1))
    await until('the stream to flow', () => last() > 3, slow)
    const stream = { program, last, flows: async () => { const from = last(); await until('the stream to go on', () => last() > from + 5, slow) } }
    ;(this.servers ??= []).push(program)
    return stream
  }

  static async end() {
    for (const machine of Machine.all) {
      for (const server of machine.servers ?? []) await server.kill()
      if (machine.program && !machine.program.end) await machine.program.stop()
    }
    for (const machine of Machine.all) machine.holder.kill('SIGKILL')
  }
}

// Only whether a connection is made: the proof port says nothing by itself.
async function connects(machine, other, port) {
  const code = `const s = require('net').connect(${port}, '${other.address}', () => process.exit(0))
    s.on('error', () => process.exit(3)); setTimeout(() => process.exit(4), 4000)`
  return run('nsenter', machine.enter(process.execPath, '-e', code)).then(() => true, () => false)
}

const suite = inside ? test : () => {}
let network, control, url, dir
let lights, gateway, workers, checker, provider

// What machines know the control plane as; closed, it is away.
function openControl() {
  return new Promise((resolve) => {
    const open = new Set()
    const server = createServer((socket) => {
      const other = connect(network.port, '127.0.0.1')
      for (const [from, to] of [[socket, other], [other, socket]]) {
        open.add(from)
        from.on('error', () => {}).on('close', () => { open.delete(from); to.destroy() }).pipe(to)
      }
    })
    control = { close: () => { server.close(); for (const socket of open) socket.destroy() } }
    server.listen(7070, '10.99.0.254', resolve)
  })
}

async function made(name, ...args) {
  const program = new Program(name, args, { KAISAR_HOME: dir })
  const { code } = await program.ended
  assert.equal(code, 0, program.output)
  return /0x[0-9a-fA-F]{40}/.exec(program.stdout)[0]
}

async function vpnMachine(name, kind, place) {
  const machine = await Machine.make(name)
  machine.dir = join(dir, name)
  machine.machine = await made(name, 'vpn', 'create', url, '--state', machine.dir)
  const body = place ? { kind, place: `${machine.underlay}:4242` } : { kind }
  await network.operator.call('PUT', `/v1/admin/vpn/${machine.machine}`, body, 200)
  machine.keep('vpn', 'run', '--state', machine.dir)
  return machine
}

async function workerMachine(name) {
  const machine = await Machine.make(name)
  machine.dir = join(dir, name)
  const { token } = await provider.post('/v1/workers/tokens', {}, 201)
  machine.machine = await made(name, 'worker', 'join', url, token, '--state', machine.dir)
  machine.keep('worker', 'run', '--state', machine.dir, '--engine', 'unix:///nowhere.sock', '--public-address', machine.underlay,
    '--proof-listen', `0.0.0.0:${proof}`, '--vpn', 'on')
  return machine
}

async function checkerMachine(name) {
  const machine = await Machine.make(name)
  machine.dir = join(dir, name)
  const owner = await network.tenant(null)
  const { key } = await owner.post('/v1/api-keys', { name: 'checker', permissions: ['account'] }, 201)
  const create = new Program('checker create', ['checker', 'create', url, '--state', machine.dir, '--name', name], { KAISAR_API_KEY: key, KAISAR_HOME: dir })
  assert.equal((await create.ended).code, 0, create.output)
  machine.machine = /0x[0-9a-fA-F]{40}/.exec(create.output)[0]
  await network.license({ address: machine.machine }, 1)
  machine.keep('checker', 'run', '--state', machine.dir, '--vpn', 'on')
  return machine
}

// Somebody with nebula, a certificate from @sign, and no rules of their own.
async function attacker(name, address, sign) {
  const machine = await Machine.make(name)
  machine.dir = join(dir, name)
  machine.address = address
  await mkdir(machine.dir, { recursive: true })
  await sign(machine)
  const hosts = lights.map((light) => `"${light.address}"`).join(', ')
  await writeFile(join(machine.dir, 'nebula.yml'), `
pki: {ca: ${machine.dir}/ca.crt, cert: ${machine.dir}/node.crt, key: ${machine.dir}/node.key}
static_host_map: {${lights.map((light) => `"${light.address}": ["${light.underlay}:4242"]`).join(', ')}}
lighthouse: {am_lighthouse: false, interval: 5, hosts: [${hosts}]}
listen: {host: 0.0.0.0, port: 0}
tun: {dev: evil0, mtu: 1300}
logging: {level: info, format: json}
firewall:
  outbound: [{port: any, proto: any, host: any}]
  inbound: [{port: any, proto: any, host: any}]
`)
  const nebula = machine.start('nebula', '/usr/bin/nebula', '-config', join(machine.dir, 'nebula.yml'))
  ;(machine.servers ??= []).push(nebula)
  await nebula.says('interface is active')
  return machine
}

const cert = (...words) => execFileSync('/usr/bin/nebula-cert', words, { stdio: 'pipe' })

// With the network's own key, as if an attacker had come by it: only to see what others take.
const signed = (group, duration) => async (machine) => {
  const pem = await readFile(join(network.dir, 'server', 'keys', 'vpn.pem'), 'utf8')
  const [key, certificate] = pem.split(/(?=-----BEGIN NEBULA CERTIFICATE)/)
  await writeFile(join(machine.dir, 'ca.key'), key)
  await writeFile(join(machine.dir, 'ca.crt'), certificate)
  cert('sign', '-ca-key', join(machine.dir, 'ca.key'), '-ca-crt', join(machine.dir, 'ca.crt'), '-name', machine.name, '-ip', `${machine.address}/16`,
    '-groups', group, '-duration', duration, '-out-crt', join(machine.dir, 'node.crt'), '-out-key', join(machine.dir, 'node.key'))
}

const listed = async (machine) => (await network.operator.get('/v1/admin/vpn?limit=100')).items.find((m) => m.machine === machine.machine)

if (inside) {
  before(async () => {
    ip('link', 'set', 'lo', 'up')
    ip('link', 'add', 'hub', 'type', 'bridge')
    ip('addr', 'add', '10.99.0.254/24', 'dev', 'hub')
    ip('link', 'set', 'hub', 'up')
    dir = await mkdtemp(join(tmpdir(), 'kaisar-vpn-'))
    network = await Network.start({ vpn_certificate_ms: 30000, vpn_ask_ms: 500 })
    await network.operator.login()
    provider = await network.tenant(null)
    await openControl()
    url = 'http://10.99.0.254:7070'
    lights = [await vpnMachine('lighthouse1', 'lighthouse', true), await vpnMachine('lighthouse2', 'lighthouse', true)]
    gateway = await vpnMachine('gateway', 'gateway')
    workers = [await workerMachine('worker1'), await workerMachine('worker2')]
    checker = await checkerMachine('checker')
    for (const machine of [...lights, gateway, ...workers, checker]) await machine.isUp()
    for (const machine of [...workers, gateway, checker, lights[0]]) for (const port of [exposed, ssh]) await machine.serve(port)
    for (const machine of [gateway, checker]) await machine.serve(proof)
  })
  after(async () => {
    await Machine.end()
    control?.close()
    await network?.stop()
    if (dir) await rm(dir, { recursive: true, force: true })
  })
}

suite('each machine has an address of its own, a key that stays with it, and says how it does', async () => {
  const everybody = [...lights, gateway, ...workers, checker]
  assert.equal(new Set(everybody.map((m) => m.address)).size, everybody.length)
  for (const [machine, kind] of [[lights[0], 'lighthouse'], [gateway, 'gateway'], [workers[0], 'worker'], [checker, 'checker']]) {
    const status = await until(`${machine.name} to be well`, async () => {
      const now = await machine.status()
      return now.problem === '' && now
    }, slow)
    assert.deepEqual([status.kind, status.starts], [kind, 1])
    const shown = JSON.parse(cert('print', '-json', '-path', join(machine.dir, 'vpn', 'node.crt')))
    assert.deepEqual([shown.details.name, shown.details.groups, shown.details.ips], [machine.machine, [kind], [`${machine.address}/16`]])
    cert('verify', '-ca', join(machine.dir, 'vpn', 'ca.crt'), '-crt', join(machine.dir, 'vpn', 'node.crt'))
    const row = await listed(machine)
    assert.deepEqual([row.kind, row.address, row.revoked], [kind, machine.address, null])
  }
  assert.match(execFileSync(bin, ['vpn', 'status', '--state', gateway.dir], { encoding: 'utf8' }), /kind +gateway[^]*LIGHTHOUSE[^]*TUNNEL TO/)
  const { items } = await network.operator.get('/v1/admin/audit?limit=100')
  for (const [action, actor] of [['vpn.added', `operator ${network.operator.address}`], ['vpn.admitted', `machine ${lights[0].machine}`]])
    assert.deepEqual(items.filter((e) => e.action === action && e.subject === lights[0].machine).map((e) => e.actor), [actor], 'once, whatever was asked')
})

suite('gateways reach exposed ports, checkers the proof port', async () => {
  await until('the gateway to reach it', () => gateway.reaches(workers[0], exposed), slow)
  await until('the gateway to reach it', () => gateway.reaches(workers[1], exposed), slow)
  await until('the checker to reach it', () => connects(checker, workers[0], proof), slow)
})

suite('and nobody reaches anything else', async () => {
  const [one, two] = workers
  const forbidden = [
    [one, two, exposed], [one, two, proof], [one, two, ssh], [one, gateway, exposed], [one, gateway, ssh], [one, checker, proof], [one, lights[0], ssh],
    [checker, one, exposed], [checker, one, ssh], [checker, gateway, exposed], [checker, lights[0], ssh],
    [gateway, one, proof], [gateway, one, ssh], [gateway, checker, proof], [gateway, checker, ssh], [gateway, lights[0], ssh],
    [lights[0], one, exposed], [lights[0], one, proof], [lights[0], gateway, ssh],
  ]
  const passed = await Promise.all(forbidden.map(([from, to, port]) => connects(from, to, port)))
  assert.deepEqual(forbidden.filter((_, i) => passed[i]).map(([from, to, port]) => `${from.name} reached ${to.name}:${port}`), [])
})

suite('those who keep no rules of their own are refused by the others\'', async () => {
  const rogues = {
    worker: await attacker('rogue-worker', '100.80.200.1', signed('worker', '1h')),
    checker: await attacker('rogue-checker', '100.80.200.2', signed('checker', '1h')),
    stranger: await attacker('rogue-group', '100.80.200.3', signed('workers', '1h')),
    gateway: await attacker('rogue-gateway', '100.80.200.4', signed('gateway', '1h')),
  }
  // That the tunnels work is seen by what is allowed.
  await until('the rogue gateway\'s tunnel', () => connects(rogues.gateway, workers[0], exposed), slow)
  await until('the rogue checker\'s tunnel', () => connects(rogues.checker, workers[0], proof), slow)
  const forbidden = [
    [rogues.worker, workers[0], exposed], [rogues.worker, workers[0], proof], [rogues.worker, workers[1], exposed], [rogues.worker, gateway, exposed],
    [rogues.worker, checker, proof], [rogues.worker, lights[0], ssh], [rogues.checker, workers[0], exposed], [rogues.checker, workers[0], ssh],
    [rogues.checker, gateway, ssh], [rogues.stranger, workers[0], exposed], [rogues.stranger, workers[0], proof], [rogues.gateway, workers[0], proof],
    [rogues.gateway, workers[0], ssh], [rogues.gateway, checker, ssh], [rogues.gateway, gateway, ssh], [rogues.gateway, lights[0], ssh],
  ]
  const passed = await Promise.all(forbidden.map(([from, to, port]) => connects(from, to, port)))
  assert.deepEqual(forbidden.filter((_, i) => passed[i]).map(([from, to, port]) => `${from.name} reached ${to.name}:${port}`), [])
})

suite('an expired certificate, and another authority\'s, open nothing', async () => {
  const expired = await attacker('expired', '100.80.200.5', async (machine) => {
    await signed('gateway', '2s')(machine)
    await until('it to be over', () => {
      const { details } = JSON.parse(cert('print', '-json', '-path', join(machine.dir, 'node.crt')))
      return Date.parse(details.notAfter) < Date.now() - 1000
    })
  }).catch((error) => error)
  const foreign = await attacker('foreign', '100.80.200.6', async (machine) => {
    const at = (name) => join(machine.dir, name)
    cert('ca', '-name', 'kaisar', '-out-crt', at('their.crt'), '-out-key', at('their.key'))
    cert('sign', '-ca-key', at('their.key'), '-ca-crt', at('their.crt'), '-name', 'gateway', '-ip', `${machine.address}/16`, '-groups', 'gateway',
      '-out-crt', at('node.crt'), '-out-key', at('node.key'))
    // It believes both authorities, so that only the others can refuse it.
    await writeFile(at('ca.crt'), await readFile(at('their.crt'), 'utf8') + await readFile(join(gateway.dir, 'vpn', 'ca.crt'), 'utf8'))
  })
  // Nebula may not even start with a certificate that is over.
  if (expired instanceof Machine) assert.equal(await connects(expired, workers[0], exposed), false)
  assert.equal(await connects(foreign, workers[0], exposed), false)
  await until('the gateway to reach it', () => gateway.reaches(workers[0], exposed), slow)
})

suite('renewal keeps a stream alive, past the end of the certificates that it began with', async () => {
  const stream = await gateway.stream(workers[0], exposed)
  const first = await Promise.all([gateway, workers[0]].map(listed))
  const now = await until('both certificates to be over', async () => {
    const rows = await Promise.all([gateway, workers[0]].map(listed))
    return Math.max(...first.map((row) => Date.parse(row.certificate.expires_at))) + 2000 < Date.now() && rows
  }, slow)
  for (const [i, row] of now.entries()) {
    assert.equal(row.address, first[i].address)
    assert.notEqual(row.certificate.fingerprint, first[i].certificate.fingerprint)
  }
  await stream.flows()
  assert.equal(stream.program.end, undefined)
  await until('the gateway to reach it', () => gateway.reaches(workers[1], exposed), slow)
  assert.equal((await gateway.status()).starts, 1, 'nebula reloaded, and did not start again')
})

suite('without one lighthouse nothing is dropped, and new tunnels form', async () => {
  const stream = await gateway.stream(workers[0], exposed)
  await lights[0].program.kill()
  assert.equal(await checker.status().then((s) => s.tunnels.some((t) => t.address === workers[1].address)), false)
  await until('a new tunnel', () => connects(checker, workers[1], proof), slow)
  await stream.flows()
  assert.equal(stream.program.end, undefined)
  const lost = await lights[0].status()
  assert.match(lost.problem, /no process keeps/)
  lights[0].keep(...lights[0].keepArgs)
  await lights[0].isUp()
})

suite('revocation cuts a tunnel that is up, and restoring lets it be made again', async () => {
  const second = await vpnMachine('gateway2', 'gateway')
  await second.isUp()
  // Its owner is no longer ours: the same certificate, no rules, nobody who stops it.
  await second.program.stop()
  const thief = await attacker('thief', second.address, async (machine) => {
    for (const name of ['ca.crt', 'node.crt', 'node.key'])
      await writeFile(join(machine.dir, name), readFileSync(join(second.dir, 'vpn', name)), { mode: 0o600 })
  })
  const stream = await thief.stream(workers[0], exposed)
  await stream.flows()
  await network.operator.post(`/v1/admin/vpn/${second.machine}/revoke`, { reason: 'stolen' }, 200)
  await until('the stream to stop', async () => {
    const from = stream.last()
    await new Promise((resolve) => setTimeout(resolve, 3000))
    return stream.last() === from
  }, slow)
  assert.equal(await connects(thief, workers[0], exposed), false)
  assert.equal(await connects(thief, workers[1], exposed), false)
  await until('the gateway to reach it', () => gateway.reaches(workers[0], exposed), slow)
  assert.deepEqual((await listed(second)).revoked.reason, 'stolen')
  // The machine itself is told, and what helps.
  second.keep(...second.keepArgs)
  await until('it to be told', async () => /operator took the machine out.*vpn restore/.test((await second.status()).problem), slow)
  await network.operator.post(`/v1/admin/vpn/${second.machine}/restore`, undefined, 200)
  for (const server of thief.servers) await server.kill()
  await until('it to be back', () => connects(second, workers[0], exposed), slow)
  assert.equal((await listed(second)).revoked, null)
  const { items } = await network.operator.get('/v1/admin/audit?limit=100')
  for (const action of ['vpn.revoked', 'vpn.restored'])
    assert.ok(items.some((e) => e.action === action && e.subject === second.machine), `${action} is recorded`)
})

suite('who is no member is refused, and changes nothing', async () => {
  await network.operator.call('PUT', `/v1/admin/vpn/${workers[0].machine}`, { kind: 'gateway' }, 409)
  await network.operator.call('PUT', `/v1/admin/vpn/${lights[0].machine}`, { kind: 'lighthouse', place: 'x"y:1' }, 422)
  await network.operator.call('PUT', `/v1/admin/vpn/${lights[0].machine}`, { kind: 'lighthouse' }, 422)
  await provider.call('PUT', `/v1/admin/vpn/${workers[0].machine}`, { kind: 'gateway' }, 403)
  const stranger = await Machine.make('stranger')
  stranger.dir = join(dir, 'stranger')
  stranger.machine = await made('stranger', 'vpn', 'create', url, '--state', stranger.dir)
  stranger.keep('vpn', 'run', '--state', stranger.dir)
  await until('it to be refused', async () => /no operator added it/.test((await stranger.status()).problem), slow)
  assert.equal(await listed(stranger), undefined)
  assert.equal(existsSync(join(stranger.dir, 'vpn', 'node.crt')), false)
})

suite('nebula that dies is started again, and a machine starts while the control plane is away', async () => {
  const pid = execFileSync('pgrep', ['-P', String(gateway.program.child.pid), 'nebula'], { encoding: 'utf8' }).trim()
  process.kill(Number(pid), 'SIGKILL')
  await until('it to be started again', async () => (await gateway.status()).starts > 1, slow)
  await gateway.isUp()
  control.close()
  await workers[1].program.kill()
  workers[1].keep(...workers[1].keepArgs)
  await until('the worker to be reached', () => connects(gateway, workers[1], exposed), slow)
  await until('it to say what is wrong', async () => /control plane cannot be reached/.test((await workers[1].status()).problem), slow)
  await openControl()
  await until('it to be well again', async () => (await workers[1].status()).problem === '', slow)
})
