// The command line as people and scripts use it: what it prints, and its exit codes.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Network, bin, demoImage, sleep, until } from './lib/network.js'

let network, agent, dir

// Somebody with a folder and a wallet of their own.
class Shell {
  static async open(name) {
    const shell = new Shell()
    shell.home = join(dir, name)
    shell.address = (await shell.out('wallet', 'create')).trim()
    return shell
  }

  // Runs to the end; `input` is standard input.
  run(args, { input = '', env = {}, during } = {}) {
    const child = spawn(bin, args, {
      env: { ...process.env, KAISAR_HOME: this.home, KAISAR_URL: network.url, KAISAR_PASSWORD: 'secret', ...env },
    })
    const result = { stdout: '', stderr: '' }
    child.stdout.on('data', (bytes) => { result.stdout += bytes; during?.(child, result) })
    child.stderr.on('data', (bytes) => { result.stderr += bytes; during?.(child, result) })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    return new Promise((resolve) => child.on('close', (code, signal) => resolve({ ...result, code, signal })))
  }

  async ends(code, ...args) {
    const result = await this.run(args)
    assert.equal(result.code, code, `${args.join(' ')}: ${JSON.stringify(result)}`)
    return result
  }

  async out(...args) {
    return (await this.ends(0, ...args)).stdout
  }

  // The answer with -o json: nothing else may be on standard output.
  async json(...args) {
    return JSON.parse(await this.out(...args, '-o', 'json'))
  }
}

const small = ['-c', '0.5', '-m', '64MiB', '--disk', '64MiB']
let tenant

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kaisar-cli-'))
  network = await Network.start()
  agent = await network.worker({ coreHour: '3.6' })
  tenant = await Shell.open('tenant')
  await tenant.out('login')
  await network.credit(tenant, '10')
})
after(async () => {
  await network?.stop()
  await rm(dir, { recursive: true, force: true })
})

test('signing in keeps a private session, and out ends it', async () => {
  const person = await Shell.open('person')
  const login = await person.json('login')
  assert.equal(login.account, person.address)
  assert.deepEqual(login.roles, ['tenant', 'provider'])
  const file = join(person.home, 'session.json')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  await person.out('balance')
  await person.out('logout')
  await assert.rejects(stat(file))
  const refused = await person.ends(7, 'balance')
  assert.equal(refused.stdout, '')
  assert.match(refused.stderr, /^kaisar: not signed in .*`kaisar login`\n$/)
})

test('signing in refuses a wrong password and another network\'s domain', async () => {
  const wrong = await tenant.run(['login'], { env: { KAISAR_PASSWORD: 'guess' } })
  assert.equal(wrong.code, 7)
  const other = await tenant.run(['login', '--url', network.url.replace('127.0.0.1', 'localhost')])
  assert.equal(other.code, 7)
  assert.match(other.stderr, /asks for a signature for/)
})

test('the network is pinned at the first sign-in: another key behind the same address is refused', async () => {
  const person = await Shell.open('pinned')
  await person.out('login')
  const file = join(person.home, 'session.json')
  const session = JSON.parse(await readFile(file))
  assert.equal(session.network, network.address)
  await writeFile(file, JSON.stringify({ ...session, network: `0x${'11'.repeat(20)}` }))
  const refused = await person.ends(7, 'login')
  assert.match(refused.stderr, /kaisar logout/)
})

test('a refused access token is refreshed, once among many commands', async () => {
  const person = await Shell.open('refresher')
  await person.out('login')
  const file = join(person.home, 'session.json')
  const before = JSON.parse(await readFile(file))
  await writeFile(file, JSON.stringify({ ...before, access_token: before.access_token.replace(/^ey/, 'xx') }))
  await Promise.all(Array.from({ length: 6 }, () => person.out('balance')))
  const afterwards = JSON.parse(await readFile(file))
  assert.notEqual(afterwards.refresh_token, before.refresh_token)
  await writeFile(file, JSON.stringify({ ...before, access_token: 'stolen' }))
  await person.ends(7, 'balance')
})

test('an API key does what it was made for, and no more', async () => {
  const session = JSON.parse(await readFile(join(tenant.home, 'session.json')))
  const answer = await fetch(`${network.url}/v1/api-keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${session.access_token}` },
    body: JSON.stringify({ name: 'ci', permissions: ['rental.read'] }),
  })
  const env = { KAISAR_API_KEY: (await answer.json()).key, KAISAR_HOME: join(dir, 'nobody') }
  assert.equal((await tenant.run(['ps'], { env })).code, 0)
  assert.equal((await tenant.run(['balance'], { env })).code, 7)
})

test('search finds offers in known words and says what excludes the others', async () => {
  const [offer] = await tenant.json('search', 'offers', 'cpu_ram>=0.06 cpu_cores>=0.5 dph<=1.8')
  assert.equal(offer.machine, agent.machine)
  assert.equal(offer.rate_hour, '1.8')
  const none = await tenant.run(['search', 'offers', 'cpu_cores>=0.5 dph<1.8', '-o', 'json'])
  assert.equal(none.code, 0)
  assert.deepEqual(JSON.parse(none.stdout), [])
  assert.match(none.stderr, /price excluded 1/)
  const wrong = await tenant.ends(2, 'search', 'offers', 'colour=red')
  assert.match(wrong.stderr, /no condition 'colour'/)
})

test('run stays with a container and ends with its code; words survive', async () => {
  const result = await tenant.run(['run', ...small, '-e', 'A=b=c d', demoImage, 'sh', '-c',
    'echo "A=$A"; echo oops >&2; exit 7'])
  assert.equal(result.code, 7, JSON.stringify(result))
  assert.equal(result.stdout, 'A=b=c d\n')
  assert.match(result.stderr, /^oops$/m)
})

test('what cannot run says why, with a code of its own', async () => {
  assert.match((await tenant.ends(2, 'run', '-m', '1', demoImage)).stderr, /memory: must be/)
  assert.match((await tenant.ends(4, 'run', '-m', '3TiB', demoImage)).stderr, /^kaisar: no machine fits this order now: memory excluded 1/)
  assert.match((await tenant.ends(3, 'run', ...small, 'localhost/no/such:1')).stderr, /image_not_found/)
  const poor = await Shell.open('poor')
  await poor.out('login')
  await poor.ends(5, 'run', ...small, demoImage)
  await tenant.ends(3, 'inspect', 'nothing')
  await tenant.ends(3, 'stop', 'rnt-00000000000000000000000000')
  await tenant.ends(2, 'run')
  await tenant.ends(2, 'ps', '-o', 'xml')
})

test('Ctrl-C stops what run started', async () => {
  let sent = false
  const result = await tenant.run(['run', ...small, '--stop-timeout', '1', demoImage, 'sleep', '99'], {
    during: (child, { stderr }) => {
      if (sent || !/Started/.test(stderr)) return
      sent = true
      child.kill('SIGINT')
    },
  })
  assert.match(result.stderr, /stopping rnt-/)
  const [rental] = (await tenant.json('ps', '-a')).filter((r) => r.command[0] === 'sleep')
  assert.equal(rental.state, 'stopped')
  assert.equal(rental.reason, 'stopped_by_tenant')
})

test('a detached rental: ps, logs, exec, stats, stop, bill, rm', async () => {
  const id = (await tenant.out('run', '-d', '--name', 'web', ...small, '-p', '80', '--stop-timeout', '1', demoImage,
    'sh', '-c', 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done')).trim()
  assert.match(id, /^rnt-[0-9a-z]{26}$/)
  await until('it to run', async () => (await tenant.json('ps')).some((r) => r.id === id && r.state === 'running'))
  assert.match(await tenant.out('ps', '-q'), new RegExp(id))
  await until('lines', async () => /line 5/.test(await tenant.out('logs', 'web')))
  assert.equal((await tenant.out('logs', '-n', '2', 'web')).trim().split('\n').length, 2)

  const exec = await tenant.run(['exec', 'web', 'sh', '-c', 'echo out; echo err >&2; exit 3'])
  assert.deepEqual([exec.stdout, exec.stderr, exec.code], ['out\n', 'err\n', 3])
  const input = 'x'.repeat(3000000)
  const count = await tenant.run(['exec', '-i', 'web', 'wc', '-c'], { input })
  assert.equal(count.stdout.trim(), '3000000', JSON.stringify(count))
  assert.equal(count.code, 0)

  const sample = JSON.parse(await tenant.out('stats', '--no-stream', '-o', 'json', 'web'))
  assert.equal(sample.memory_limit_bytes, 64 << 20)
  await tenant.ends(1, 'rm', 'web')
  const stats = tenant.run(['stats', 'web'])
  await sleep(2500)
  assert.equal((await tenant.out('stop', 'web')).trim(), id)
  const watched = await stats
  assert.deepEqual([watched.code, watched.stderr], [0, ''], 'who watches sees an ordinary end')
  const bill = await tenant.out('verify-bill', '--save', join(dir, 'bill.json'), 'web')
  assert.match(bill, /holds/)
  assert.match(await tenant.out('bill', 'web'), /^LEASE +MACHINE .*\nlse-.* nothing +no chain +- +-/)
  assert.equal(JSON.parse(await tenant.out('bill', '-o', 'json', 'web')).leases[0].anchor, null)
  assert.match((await tenant.ends(3, 'verify-bill', '--rpc', 'http://127.0.0.1:1', 'web')).stderr, /its end is not recorded: the network had no chain then/)
  assert.match((await tenant.run(['verify-bill', join(dir, 'bill.json')], { env: { KAISAR_URL: 'http://127.0.0.1:1' } })).stdout, /holds/)
  assert.equal((await tenant.json('inspect', id)).history.at(-1).to, 'stopped')
  assert.match(await tenant.out('inspect', id), /^charged +0\.\d+$[^]*^AT +STATE[^]*Z +stopped +stopped_by_tenant/m)
  assert.ok((await tenant.json('statement')).some((item) => item.rental === id && item.kind === 'charge'))
  await tenant.out('rm', id)
  assert.ok(!(await tenant.json('ps', '-a')).some((r) => r.id === id))
})

test('a provider\'s and an operator\'s words', async () => {
  const provider = await Shell.open('provider')
  await provider.out('login')
  assert.match(await provider.out('worker', 'token'), /kaisar worker join http/)
  assert.deepEqual(await provider.json('worker', 'status'), [])
  assert.deepEqual(await provider.json('worker', 'earnings'), [])
  await provider.ends(3, 'worker', 'price', '--core-hour', '1', agent.machine)
  await provider.ends(7, 'admin', 'workers')
  await provider.ends(7, 'admin', 'credit', provider.address, '1', '--key', 'mine')
})

test('a checker that did nothing yet is taken out of the network by its owner', async () => {
  const owner = await Shell.open('checker')
  await owner.out('login')
  const created = await owner.ends(0, 'checker', 'create', network.url, '--state', join(dir, 'checker1'))
  const checker = created.stdout.trim()
  assert.ok(created.stderr.includes(`kaisar admin licence ${checker} 1`), created.stderr)
  assert.equal((await owner.json('checker', 'status', checker)).status, 'pending')
  await tenant.ends(3, 'checker', 'remove', checker)
  await owner.ends(2, 'checker', 'remove')
  assert.equal((await owner.out('checker', 'remove', checker)).trim(), checker)
  await owner.ends(3, 'checker', 'remove', checker)
  assert.deepEqual(await owner.json('checker', 'status'), [])
})

test('what is not there is named', async () => {
  assert.match((await tenant.ends(2, 'help', 'nothing')).stderr, /no command 'nothing'/)
  assert.match((await tenant.ends(3, 'verify-bill', './none.json')).stderr, /none\.json: no such file/)
  assert.match((await tenant.ends(3, 'verify-bill', 'none')).stderr, /no rental 'none'/)
  assert.match((await tenant.ends(1, 'login', '--password-file', '/none')).stderr, /\/none: No such file/)
})

test('a server that is not there is said in one line', async () => {
  const gone = await tenant.run(['ps'], { env: { KAISAR_URL: 'http://127.0.0.1:1' } })
  assert.equal(gone.code, 1)
  assert.equal(gone.stdout, '')
  assert.equal(gone.stderr.trim().split('\n').length, 1)
})
