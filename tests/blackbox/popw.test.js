// Proof of Physical Work from the command line: a machine tests itself, a record is verified again, and a
// prover's process says the same again and never outlives who asked it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { bin, until } from './lib/network.js'

const SESSION = 1, NONCES = 4, FILLED = 5, ROOT = 6, SEAL = 7, OPEN = 8
const sizes = { session: 283, member: 20, ncommit: 213, nonces: 21 + 3 * 32 + 65, filled: 86 }

let dir, record

function start(...args) {
  const child = spawn(bin, ['popw', ...args])
  const result = { stdout: Buffer.alloc(0), stderr: '' }
  child.stdout.on('data', (bytes) => { result.stdout = Buffer.concat([result.stdout, bytes]) })
  child.stderr.on('data', (bytes) => { result.stderr += bytes })
  child.stdin.on('error', () => {})
  child.result = result
  child.ended = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ ...result, code, signal }))
  })
  return child
}

async function run(...args) {
  const child = start(...args)
  child.stdin.end()
  return child.ended
}

async function verify(bytes) {
  const path = join(dir, 'file')
  await writeFile(path, bytes)
  return run('verify', path)
}

const transcript = () => record.subarray(12, 12 + record.readUInt32LE(8))

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kaisar-popw-'))
  const result = await run('self-test', '--backend', 'cpu', '--quick', '--save', join(dir, 'record'))
  assert.equal(result.code, 0, result.stderr)
  assert.match(result.stdout.toString(), /PASSED: what was computed is right, bit for bit/)
  record = await readFile(join(dir, 'record'))
})
after(() => rm(dir, { recursive: true, force: true }))

test('a record gives the same verdict each time, byte for byte', async () => {
  const first = await verify(record), second = await verify(record)
  assert.equal(first.code, 0, first.stderr)
  assert.deepEqual(second.stdout, first.stdout)
  const verdict = JSON.parse(first.stdout)
  assert.equal(verdict.outcome, 'passed')
  assert.equal(verdict.bits, 31)
  assert.deepEqual(verdict.agreeing, [0, 1, 2])
})

test('a bare transcript holds by itself', async () => {
  const result = await verify(transcript())
  assert.equal(result.code, 0, result.stderr)
  assert.equal(JSON.parse(result.stdout).bits, 31)
})

test('what was changed, cut off or is something else is refused in a sentence', async () => {
  for (const at of [0, 9, 40, 350, 1000, record.length >> 1, record.length - 200, record.length - 1]) {
    const changed = Buffer.from(record)
    changed[at] ^= 1
    const result = await verify(changed)
    assert.equal(result.code, 1, `byte ${at}`)
    assert.match(result.stderr, /^kaisar: .+\n$/m)
  }
  assert.equal((await verify(record.subarray(0, 5000))).code, 1)
  assert.equal((await verify(Buffer.from('hello'))).code, 1)
  assert.equal((await run('verify', join(dir, 'nothing'))).code, 3)
})

test('what cannot be tested is said', async () => {
  assert.equal((await run('self-test', '--class', 'nvidia-none')).code, 2)
  assert.equal((await run('self-test', '--backend', 'abacus')).code, 2)
  const result = await run('self-test', '--backend', 'disk', '--folder', '/proc/nowhere')
  assert.equal(result.code, 1)
  assert.match(result.stderr, /no file can be made in the folder; the folder must be there and writable \(--state, --folder\)\n$/)
  const gpu = await run('self-test', '--device', '255')
  assert.equal(gpu.code, 3, gpu.stderr)
  assert.match(gpu.stderr, /no prover on cuda 255: /)
})

// ---- the prover's process ----

function frame(kind, bytes) {
  const head = Buffer.alloc(5)
  head.writeUInt32LE(bytes.length)
  head[4] = kind
  return Buffer.concat([head, bytes])
}

function frames(bytes) {
  const list = []
  for (let at = 0; at + 5 <= bytes.length;) {
    const len = bytes.readUInt32LE(at)
    if (at + 5 + len > bytes.length)
      break
    list.push({ kind: bytes[at + 4], bytes: bytes.subarray(at + 5, at + 5 + len) })
    at += 5 + len
  }
  return list
}

// The messages of the record's transcript, in their order.
function messages() {
  const bytes = transcript(), session = bytes.subarray(8, 8 + sizes.session)
  let at = 8 + sizes.session + 3 * sizes.member + 4 + 3 * sizes.ncommit
  const take = (len) => bytes.subarray(at, at += len)
  const fill = take(sizes.nonces), filled = take(sizes.filled), walk = take(sizes.nonces)
  return { session, fill, filled, walk }
}

const heard = (child, kind, n = 1) => until(`message ${kind}`, () => frames(child.result.stdout).filter((f) => f.kind === kind).length >= n)

test('the process says again what the transcript holds', async () => {
  const { session, fill, filled, walk } = messages()
  const child = start('prove', '--backend', 'cpu')
  child.stdin.write(frame(SESSION, session))
  child.stdin.write(frame(NONCES, fill))
  await heard(child, FILLED)
  const said = frames(child.result.stdout)[0].bytes
  assert.equal(said.length, sizes.filled)
  assert.deepEqual(said.subarray(0, 21), filled.subarray(0, 21))
  child.stdin.write(frame(NONCES, walk))
  await heard(child, SEAL)
  const roots = frames(child.result.stdout).filter((f) => f.kind === ROOT)
  assert.ok(roots.length > 0)
  for (const root of roots)
    assert.ok(transcript().includes(root.bytes.subarray(21)), 'a root of the transcript')
  child.stdin.end()
  const result = await child.ended
  assert.equal(result.code, 1)
  assert.match(result.stderr, /who asked for the proof has gone/)
  assert.ok(!frames(result.stdout).some((f) => f.kind === OPEN))
})

test('nonces of another phase, and what is no frame, end it with a reason', async () => {
  const { session, walk } = messages()
  const huge = Buffer.from([0xff, 0xff, 0xff, 0xff, SESSION])
  const cases = [
    [[frame(SESSION, session), frame(NONCES, walk)], /of another phase/],
    [[frame(SESSION, session), frame(FILLED, walk)], /holds no NONCES/],
    [[frame(SESSION, session.subarray(1))], /^kaisar: /],
    [[frame(NONCES, walk)], /begins with no SESSION/],
    [[huge], /^kaisar: /],
    [[], /has gone/],
  ]
  for (const [input, reason] of cases) {
    const child = start('prove', '--backend', 'cpu')
    child.stdin.end(Buffer.concat(input))
    const result = await child.ended
    assert.equal(result.code, 1, `${reason}`)
    assert.match(result.stderr, reason)
  }
})

test('no prover outlives who asked it', async () => {
  const parent = start('self-test', '--backend', 'disk', '--threads', '1', '--quick', '--folder', dir)
  await until('the walk', () => parent.result.stderr.includes('walking'))
  const [pid] = (await readFile(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8')).trim().split(' ')
  assert.ok(pid)
  parent.kill('SIGKILL')
  await parent.ended
  await until('the child to end', async () => {
    try {
      return /\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'))
    } catch {
      return true
    }
  })
})
