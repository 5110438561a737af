// The network's key lies with a process of its own: what it signs is on the chain once, however often it is killed,
// what its policy does not allow waits, and no limit begins anew when it does. On real anvil and the real Anchor.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEther } from 'viem'
import { Chain } from './lib/chain.js'
import { Program, sleep, until } from './lib/network.js'
import { OutboxPeer } from './lib/outbox.js'
import { Random } from './lib/random.js'

const anchors = 30, day = 24 * 60 * 60 * 1000
let dir, chain, anchor, address, outbox, signer

const kaisar = async (...args) => {
  const program = new Program('kaisar', args)
  const { code } = await program.ended
  return { code, stdout: program.stdout, output: program.output }
}
const state = () => ['--state', dir, '--password-file', join(dir, 'password')]
const status = async () => JSON.parse((await kaisar('signer', 'status', '--state', dir, '-o', 'json')).stdout)
const policy = (callsPerDay) => writeFile(join(dir, 'policy.json'), JSON.stringify({
  chain_id: 3338,
  kinds: { anchor: { contract: anchor.address, max_gas: 200000, max_fee_wei: 10 ** 12, calls_per_day: callsPerDay } },
}))
const startSigner = async () => {
  signer = new Program('signer', ['signer', 'run', ...state()])
  await signer.says('signer.started')
}
const startOutbox = () => {
  outbox = new OutboxPeer(`sqlite:${dir}/outbox.db`, `signer:${dir}/socket`, [chain.url], { env: { REFUSE_MS: '60000' } })
}
const minesUntil = (what, ready) => until(what, async () => {
  await chain.mine()
  return ready(await outbox.counts())
}, 120000)
const upTo = (n) => [...Array(n).keys()].map((i) => i + 1)
const sequences = async () => (await chain.public.getContractEvents({
  address: anchor.address, abi: anchor.abi, eventName: 'Anchored', args: { publisher: address }, fromBlock: 0n,
})).map((event) => Number(event.args.sequence))

before(async () => {
  // Counts are of a day (UTC): none should end meanwhile.
  const left = day - Date.now() % day
  if (left < 180000) await sleep(left)
  dir = await mkdtemp('/tmp/kaisar-signer-')
  await writeFile(join(dir, 'password'), 'a password\n')
  chain = await Chain.start({ mining: false })
  anchor = await chain.deploy('Anchor')
  const made = await kaisar('signer', 'create', '--light', ...state())
  assert.equal(made.code, 0, made.output)
  address = made.stdout.trim()
  await chain.setBalance(address, parseEther('10'))
})
afterEach(async () => {
  await outbox?.kill()
  await signer?.kill()
})
after(async () => {
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

test('a key is made once, and nothing runs without a policy that is understood', async () => {
  const again = await kaisar('signer', 'create', '--light', ...state())
  assert.equal(again.code, 1)
  assert.match(again.output, /key.json is there already/)
  const none = await kaisar('signer', 'run', ...state())
  assert.equal(none.code, 1)
  assert.match(none.output, /policy.json is not there/)
  await policy(0)
  const bad = await kaisar('signer', 'run', ...state())
  assert.equal(bad.code, 1)
  assert.match(bad.output, /kinds.anchor.calls_per_day: must be 1 to 1000000/)
  const silent = await kaisar('signer', 'status', '--state', dir)
  assert.equal(silent.code, 1)
  assert.match(silent.output, /start `kaisar signer run`/)
})

test('30 anchors while the signer is killed at 12 moments: each once, and counted once', async () => {
  const dice = new Random('signer')
  await policy(1000)
  await startSigner()
  assert.equal((await stat(join(dir, 'socket'))).mode & 0o777, 0o600)
  startOutbox()
  await until('the outbox', () => outbox.counts())
  await signer.kill()
  for (const i of upTo(anchors)) await outbox.anchor(anchor, i)
  await until('its complaint', () =>
    /^the signer does not answer at .*: start `kaisar signer run`$/.test(outbox.health.problem))
  assert.equal((await outbox.counts()).queued, anchors)
  for (let i = 0; i < 12; i++) {
    await startSigner()
    await sleep(dice.below(150))
    await signer.kill()
    await chain.mine()
  }
  await startSigner()
  await minesUntil('all to be final', (counts) => counts.final === anchors)
  assert.deepEqual(await sequences(), upTo(anchors))
  assert.equal(await chain.public.getTransactionCount({ address }), anchors)
  const now = await status()
  assert.equal(now.address, address)
  assert.deepEqual(now.kinds.map(({ kind, signed, limit }) => ({ kind, signed, limit })),
    [{ kind: 'anchor', signed: anchors, limit: 1000 }])
  assert.deepEqual(now.refusals, [])
  const second = await kaisar('signer', 'run', ...state())
  assert.equal(second.code, 1)
  assert.match(second.output, /a signer is running with .*key.json already/)
  await signer.stop()
})

test('what the policy does not allow waits, with the rule, and holds up no other kind', async () => {
  const problem = 'kinds.settle: the policy does not allow it; add it there'
  await policy(1000)
  await startSigner()
  startOutbox()
  await outbox.anchor(anchor, anchors + 1, 'settle/1')
  await until('the complaint', () => outbox.health.problem === `the signer will not sign settle/1: ${problem}`)
  await outbox.anchor(anchor, anchors + 1)
  await minesUntil('the anchor to be final', (counts) => counts.final === anchors + 1)
  assert.equal((await outbox.show('settle/1')).nonce, -1)
  assert.deepEqual((await status()).refusals.map(({ kind, reason }) => ({ kind, reason })),
    [{ kind: 'settle', reason: problem }])
})

test("a day's limit stays when the signer is started again, and a policy that allows more lets the others go", async () => {
  const limit = anchors + 3
  const isFull = () => outbox.health.problem.includes(
    `kinds.anchor.calls_per_day: ${limit} were signed; wait for the next day (UTC), or raise the limit`)
  await policy(limit)
  await startSigner()
  startOutbox()
  for (const i of upTo(limit + 2).slice(anchors + 1)) await outbox.anchor(anchor, i)
  await minesUntil('as many as may be', (counts) => counts.final === limit)
  await until('the limit to be named', isFull)
  await signer.kill()
  await until('its absence', () => /does not answer/.test(outbox.health.problem))
  await startSigner()
  await until('the limit to be named again', isFull)
  assert.equal((await status()).kinds[0].signed, limit)
  await signer.stop()
  await policy(limit + 2)
  await startSigner()
  await minesUntil('the others, too', (counts) => counts.final === limit + 2)
  assert.deepEqual(await sequences(), upTo(limit + 2))
})
