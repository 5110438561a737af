// An epoch's payouts: the program's, against an independent computation, in every unit.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { bin } from './lib/network.js'
import { randomEpoch, recompute, shares } from './lib/rewards.js'

let dir

before(async () => { dir = await mkdtemp(join(tmpdir(), 'kaisar-rewards-')) })
after(() => rm(dir, { recursive: true, force: true }))

function kaisar(args, { input = '', env = {} } = {}) {
  const child = spawn(bin, ['rewards', 'recompute', ...args], { env: { ...process.env, KAISAR_HOME: dir, ...env } })
  const result = { stdout: '', stderr: '' }
  child.stdout.on('data', (bytes) => { result.stdout += bytes })
  child.stderr.on('data', (bytes) => { result.stderr += bytes })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...result, code }))
  })
}

async function file(name, text) {
  await writeFile(join(dir, name), text)
  return join(dir, name)
}

// The two blocks of the document: an epoch's records and its payouts.
async function documentExample() {
  const text = await readFile(new URL('../../docs/rewards.md', import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/```\n(kaisar epoch [^`]*)```/g)].map((match) => match[1])
  assert.equal(blocks.length, 2)
  return blocks
}

test('the example of the document', async () => {
  const [records, payouts] = await documentExample()
  assert.equal(recompute(records), payouts)
  const result = await kaisar(['-'], { input: records })
  assert.deepEqual(result, { code: 0, stdout: payouts, stderr: '' })
})

test('random epochs agree with the reference in every unit', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const sizes = seed % 10 === 0 ? { workers: 300, checkers: 100, delegators: 40 } : { workers: seed % 12, checkers: seed % 7 }
    const records = randomEpoch(seed, sizes)
    const { code, stdout, stderr } = await kaisar(['-'], { input: records })
    assert.equal(code, 0, `seed ${seed}: ${stderr}`)
    assert.equal(stdout, recompute(records), `seed ${seed}`)
  }
})

test('the reference gives out what was allotted', () => {
  assert.deepEqual(shares(10n, [3n, 3n, 2n, 1n]), [4n, 3n, 2n, 1n])
  assert.equal(shares(10n, [0n]), null)
})

test('a published table is compared, and the first difference is named', async () => {
  const records = randomEpoch(42, { workers: 5, checkers: 3 })
  const path = await file('records', records), payouts = recompute(records)
  const right = await kaisar([path, '--against', await file('right', payouts)])
  assert.equal(right.code, 0, right.stderr)
  assert.match(right.stderr, /every unit follows from the records/)

  const lines = payouts.split('\n')
  const wrong = lines.map((line, i) => (i === 7 ? line.replace(/\d$/, (d) => (Number(d) + 1) % 10) : line))
  const differs = await kaisar([path, '--against', await file('wrong', wrong.join('\n'))])
  assert.equal(differs.code, 1)
  assert.match(differs.stderr, /line 8 is the first to differ/)
  assert.ok(differs.stderr.includes(`published : ${wrong[7]}\n`) && differs.stderr.includes(`recomputed: ${lines[7]}\n`), differs.stderr)

  for (const text of [payouts.slice(0, -1), payouts.slice(0, -4), `${payouts}\n`, '']) {
    const cut = await kaisar([path, '--against', await file('cut', text)])
    assert.equal(cut.code, 1)
    assert.match(cut.stderr, /is the first to differ/)
  }
})

test('what is wrong with records is said with its line', async () => {
  const bad = await kaisar(['-'], { input: randomEpoch(1, { workers: 2, checkers: 0 }).replace(/ratio_bp \d+/, 'ratio_bp 10001') })
  assert.equal(bad.code, 1)
  assert.equal(bad.stderr, 'kaisar: standard input: line 5: ratio_bp must be a whole number from 0 to 10000\n')
  const none = await kaisar([join(dir, 'none')])
  assert.equal(none.code, 3)
  assert.equal((await kaisar([])).code, 2)
  assert.equal((await kaisar([join(dir, 'records'), '--save', 'x'])).code, 2)
})

test('an epoch by its number is fetched and compared with what the network published', async () => {
  const records = randomEpoch(7, { workers: 4, checkers: 2 })
  const texts = { '/v1/rewards/7/records': records, '/v1/rewards/7/payouts': recompute(records),
    '/v1/rewards/8/records': records, '/v1/rewards/8/payouts': recompute(records).replace('\nend', '\nEND') }
  const server = createServer((request, response) => {
    const text = texts[request.url]
    response.writeHead(text ? 200 : 404, { 'Content-Type': text ? 'text/plain' : 'application/problem+json' })
    response.end(text ?? '{"title": "There is no such epoch."}')
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const env = { KAISAR_URL: `http://127.0.0.1:${server.address().port}` }
  try {
    const kept = join(dir, 'kept')
    const holds = await kaisar(['7', '--save', kept], { env })
    assert.equal(holds.code, 0, holds.stderr)
    assert.equal(holds.stdout, texts['/v1/rewards/7/payouts'])
    assert.equal(await readFile(kept, 'utf8'), records)
    assert.equal((await kaisar(['8'], { env })).code, 1)
    const none = await kaisar(['9'], { env })
    assert.equal(none.code, 3)
    assert.match(none.stderr, /There is no such epoch/)
  } finally {
    server.close()
  }
})
