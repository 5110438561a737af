// The standard alone is enough: tools/popw_verify.py, written from docs/popw.md without the program's code, says of
// published sessions what `kaisar popw verify` says, byte for byte.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { after, before, test } from 'node:test'
import { bin } from './lib/network.js'

const tool = fileURLToPath(new URL('../../tools/popw_verify.py', import.meta.url))
let dir, record

function run(command, args) {
  const child = spawn(command, args)
  let stdout = ''
  child.stdout.on('data', (bytes) => { stdout += bytes })
  child.stderr.resume()
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout }))
  })
}

async function bothSay(name, bytes) {
  const path = join(dir, name)
  await writeFile(path, bytes)
  const [ours, theirs] = await Promise.all([run(bin, ['popw', 'verify', path]), run('python3', [tool, path])])
  assert.deepEqual(theirs, ours, name)
  return ours
}

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kaisar-popw-'))
  const { code } = await run(bin, ['popw', 'self-test', '--backend', 'cpu', '--quick', '--save', join(dir, 'record')])
  assert.equal(code, 0)
  record = await readFile(join(dir, 'record'))
})
after(() => rm(dir, { recursive: true, force: true }))

test('a record', async () => {
  const { code, stdout } = await bothSay('whole', record)
  assert.equal(code, 0)
  assert.equal(JSON.parse(stdout).bits, 31)
})

test('its transcript', async () => {
  const { code, stdout } = await bothSay('transcript', record.subarray(12, 12 + record.readUInt32LE(8)))
  assert.equal(code, 0)
  assert.equal(JSON.parse(stdout).transcript, JSON.parse((await bothSay('again', record)).stdout).transcript)
})

// Between the transcript and the results: what they were committed to, and who saw it.
test('a commitment changed, left out, or another put in its place', async () => {
  const at = 12 + record.readUInt32LE(8), members = record.readUInt32LE(at + 16).toString(2).replaceAll('0', '').length
  const results = at + 20 + 117 * members + 4
  for (const place of [at, at + 16, at + 20 + 16, at + 20 + 25, at + 20 + 60, results - 4, results + 159 + 3, results + 60]) {
    const bytes = Buffer.from(record)
    bytes[place] ^= 1
    const { code, stdout } = await bothSay(`commit-${place}`, bytes)
    assert.equal(code, 1)
    assert.equal(stdout, '')
  }
})

// In a signature, in the opened walks and tiles, in a path: what does not hold is found by both.
test('changed in one byte', async () => {
  const end = 12 + record.readUInt32LE(8)
  for (const at of [12 + 8 + 283 - 1, 12 + 8 + 283 + 60 + 4 + 21, end - 10, end - 66, end - 66 - 600 * 16, end - 66 - 30000]) {
    const bytes = Buffer.from(record)
    bytes[at] ^= 1
    const { code } = await bothSay(`changed-${at}`, bytes)
    assert.equal(code, 1)
  }
})

test('a result changed, cut off, and nothing', async () => {
  for (const bytes of [Buffer.from(record), record.subarray(0, record.length - 1), record.subarray(0, 5000), Buffer.alloc(0)]) {
    if (bytes.length === record.length) bytes[record.length - 100] ^= 1
    const { code, stdout } = await bothSay(`broken-${bytes.length}`, bytes)
    assert.equal(code, 1)
    assert.equal(stdout, '')
  }
})
