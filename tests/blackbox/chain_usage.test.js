// A rental's bill on the chain: recorded when it was placed and when it ended, checked by anybody with the bill, an
// endpoint and docs/records.md; and whatever bill, network or endpoint say otherwise is refused. On real anvil, the real
// contracts, and a real container.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex } from 'viem'
import { checkBill, leaseRecord, rentalRecord, resigned } from './lib/bill.js'
import { Chain, Liar, honest } from './lib/chain.js'
import { Signer, deployContracts, lyingNetwork } from './lib/deployment.js'
import { Network, Program, demoImage, until } from './lib/network.js'
import { Rentals } from './lib/rentals.js'

let dir, chain, contracts, signer, network, tenant, key, rentals, rental, bill

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-chain-')
  chain = await Chain.start()
  const addresses = await deployContracts(chain, dir)
  contracts = JSON.parse(await readFile(addresses, 'utf8')).contracts
  signer = await Signer.start(chain, addresses, join(dir, 'signer'))
  network = await Network.start({ anchor_every_ms: 1000, chain_again_ms: 2000, chain_refuse_ms: 2000 },
    ['--chain-rpc', chain.url, '--chain-addresses', addresses, '--chain-signer', signer.path])
  await network.worker()
  tenant = await network.tenant()
  key = (await tenant.post('/v1/api-keys', { name: 'cli', permissions: ['account', 'rental.read', 'billing.read'] }, 201)).key
  rentals = new Rentals(network, tenant)
})
after(async () => {
  await network?.stop()
  await signer?.stop()
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function kaisar(words, { url = network.url, env = {} } = {}) {
  const program = new Program(words[0], words, { KAISAR_HOME: dir, KAISAR_URL: url, KAISAR_API_KEY: key, ...env })
  return { ...await program.ended, said: program.output, stdout: program.stdout }
}

const place = () => ['--anchor-contract', contracts.Anchor.address, '--publisher', signer.address]
const verify = (what, { rpc = chain.url, words = [], ...options } = {}) => kaisar(['verify-bill', '--rpc', rpc, ...place(), ...words, what], options)

async function kept(changed) {
  const path = join(dir, `${Math.random()}.json`)
  await writeFile(path, JSON.stringify(changed))
  return path
}

async function refused(why, what, { status = 1, ...options } = {}) {
  const { code, said } = await verify(what, options)
  assert.match(said, why)
  assert.equal(code, status, said)
}

test('a rental is recorded when it is placed: while it runs its bill is not on the chain yet', async () => {
  rental = (await rentals.order({ image: demoImage, cpu_milli: 500, memory: '64MiB', disk: '256MiB' })).id
  await rentals.is(rental, 'running')
  const { code, said } = await until('the placing to be anchored', async () => {
    const answer = await verify(rental)
    return /only its placing is on the chain/.test(answer.said) && answer
  }, 60000)
  assert.equal(code, 3, said)
  assert.match((await kaisar(['bill', rental])).stdout, / placing only +(final|not final yet) +1 +0x/)
  assert.match(said, /record 0:\nOn chain 3338: under root 1 of/)
  const running = await tenant.get(`/v1/bills/${rental}`)
  const { id, digest } = leaseRecord(running, running.leases[0])
  assert.equal((await tenant.get(`/v1/inclusions/usage/${id}`)).digest, digest)
})

test('its end is recorded, and anybody who has the bill computes the record and finds it on the chain', async () => {
  await tenant.post(`/v1/rentals/${rental}/stop`, {})
  await rentals.is(rental, 'stopped')
  await until('the last record', async () => (await tenant.get(`/v1/bills/${rental}`)).leases[0].usage?.final)
  const waits = await verify(rental)
  assert.ok(waits.code === 0 || waits.code === 3 && /not anchored yet: the next root is due within 1 s|not final on the chain yet/.test(waits.said), waits.said)
  const { said } = await until('the bill to be on the chain', async () => {
    const answer = await verify(rental)
    return answer.code === 0 && answer
  }, 60000)
  assert.match(said, /holds: .* signed by the network/)
  assert.match(said, /Its end, after 1 lease:\nOn chain .*; the contract's head after root \d+ follows from it\.\nAll that the bill states is on the chain\.\n$/)

  bill = await tenant.get(`/v1/bills/${rental}`)
  const [lease] = bill.leases, { id, digest } = leaseRecord(bill, lease)
  assert.ok(lease.record >= 1)
  await checkBill(bill, network.address)
  const end = rentalRecord(bill)
  assert.equal((await tenant.get(`/v1/inclusions/usage/${end.id}`)).digest, end.digest)
  const inclusion = await tenant.get(`/v1/inclusions/usage/${id}`)
  assert.equal(inclusion.digest, digest)
  // It is believed that network and contract are these where they are not named.
  assert.equal((await kaisar(['verify-bill', '--rpc', chain.url, '--rpc', chain.url, await kept(bill)])).code, 0)
  const shown = await kaisar(['bill', rental, '-o', 'json'])
  assert.equal(shown.code, 0, shown.said)
  assert.deepEqual(JSON.parse(shown.stdout).leases, [{ ...lease, anchor: inclusion.anchor }])
  assert.match((await kaisar(['bill', rental])).stdout, new RegExp(` all +final +${inclusion.anchor.sequence} +${inclusion.anchor.transaction}`))
  const path = join(dir, 'shown.json')
  await writeFile(path, shown.stdout)
  assert.equal((await verify(path)).code, 0, 'what `kaisar bill` gives is a bill')
})

// s becomes n - s and v the other: signed by the same key, but other bytes.
function mirrored(signature) {
  const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const s = n - BigInt(`0x${signature.slice(66, 130)}`), v = signature.endsWith('1b') ? '1c' : '1b'
  return signature.slice(0, 66) + s.toString(16).padStart(64, '0') + v
}

test('a bill of which anything was changed does not hold; nor, where the network signs it again, is it what is on the chain', async () => {
  const [lease] = bill.leases, { usage } = lease
  const key = `0x${(await readFile(join(network.dir, 'server/keys/network.key'), 'utf8')).trim()}`
  const changed = (change) => ({ ...bill, leases: [{ ...lease, ...change }] })
  const changes = {
    'the provider': [/another record of this id/, changed({ provider: `0x${'77'.repeat(20)}` })],
    'the end': [/another record of this id|does NOT hold/, changed({ ended_at_ms: lease.ended_at_ms + 1 })],
    'its signature, mirrored': [/another record of this id|does NOT hold/, changed({ terms_signature: mirrored(lease.terms_signature) })],
    'the machine\'s signature, mirrored': [/another record of this id|does NOT hold/, changed({ usage: { ...usage, signature: mirrored(usage.signature) } })],
    'an earlier record': [/recorded this lease again since/, changed({ record: lease.record - 1 })],
    'a later record': [/has no record \d+ of this lease/, changed({ record: lease.record + 1 })],
    'no record': [/recorded this lease again since/, changed({ record: 0 })],
    'another place': [/placed before the network numbered leases/, changed({ placing: 0 })],
    'one of two leases': [/placing: expected|leases: expected 2, found 1/, { ...bill, placings: 2 }],
    'one of two leases, to its provider': [/Its end, after 2 leases:\n.*another record of this id/, { ...bill, placings: 2 }, ['--provider', lease.provider]],
    'another lease': [/does NOT hold/, changed({ lease: `lse-${'0'.repeat(25)}1` })],
    'the rate': [/does NOT hold/, changed({ rate_hour: '0.1' })],
    'the seconds': [/does NOT hold/, changed({ usage: { ...usage, seconds: usage.seconds - 1 } })],
    'not billed': [/does NOT hold/, changed({ billed: false })],
    'what is unpaid': [/does NOT hold/, changed({ unpaid: '0.000001' })],
    'the receipt': [/does NOT hold/, changed({ receipt_signature: lease.terms_signature })],
    'no usage': [/usage: expected what the receipt signature is over, found none/, changed({ usage: null })],
    'an excuse': [/does NOT hold/, changed({ excuses: [{ proof: null, hour: 1, from_ms: lease.ended_at_ms, until_ms: lease.ended_at_ms + 1, signature: lease.terms_signature }] })],
    'no lease': [/leases: expected 1, found 0/, { ...bill, leases: [], total: '0.0' }],
    'the old format': [/is of version 1, which the network did not sign as a whole/, { ...bill, version: 1 }],
  }
  for (const [what, [why, lie, words = []]] of Object.entries(changes)) {
    const alone = await kaisar(['verify-bill', ...words, await kept(lie)])
    assert.match(alone.said, /bill signature: expected|no bill that can be checked/, what)
    assert.equal(alone.code, 1, what)
    await refused(why, await kept(await resigned(lie, key)), { words })
      .catch((error) => { throw new Error(`${what}: ${error.message}`) })
  }
})

test('what network and endpoints say instead is refused', async (t) => {
  const [lease] = bill.leases, forged = toHex(7, { size: 32 })
  const key = `0x${(await readFile(join(network.dir, 'server/keys/network.key'), 'utf8')).trim()}`
  const other = await resigned({ ...bill, leases: [{ ...lease, provider: `0x${'77'.repeat(20)}` }] }, key)
  const { digest } = leaseRecord(other, other.leases[0])
  const inclusion = (change) => (url, json) => (url.includes('inclusions') && json.anchor ? { ...json, ...change(json) } : json)
  const lies = {
    'another bill, which it says it recorded': [/is not under root/, inclusion(() => ({ digest })), other],
    'another path': [/is not under root/, inclusion(({ path }) => ({ path: [...path, forged] }))],
    'another root of its own': [/has no root/, inclusion(({ anchor }) => ({ anchor: { ...anchor, sequence: anchor.sequence - 1 } }))],
    'another block': [/has no root/, inclusion(({ anchor }) => ({ anchor: { ...anchor, block: anchor.block - 1 } }))],
    'another head before': [/does not follow/, inclusion(() => ({ before: forged }))],
    'no such record': [/has no record/, (url, json) => (url.includes('inclusions') ? { type: 'urn:kaisar:problem:not-found', status: 404 } : json)],
    'a later record': [/recorded this lease again/, (url, json) => (url.endsWith(`${lease.record + 1}`) ? { type: 'urn:kaisar:problem:not-anchored', status: 404 } : json)],
  }
  const path = await kept(bill)
  for (const [what, [why, change, said]] of Object.entries(lies)) {
    const lying = await lyingNetwork(network, change)
    await refused(why, said ? await kept(said) : path, { url: lying.url })
      .catch((error) => { throw new Error(`${what}: ${error.message}`) }).finally(lying.stop)
  }

  const endpoint = await Liar.start(chain)
  t.after(() => endpoint.stop())
  const answers = {
    'a changed root': [/is not under root|does not follow/, 1, (method, _params, ask) => ask().then((answer) => (method === 'eth_getLogs'
      ? { result: answer.result.map((log) => ({ ...log, data: log.data.replace(/[0-9a-f]{64}/, forged.slice(2)) })) } : answer))],
    'no root': [/has no root/, 1, (method, _params, ask) => (method === 'eth_getLogs' ? { result: [] } : ask())],
    'another head': [/are not those that the contract took/, 1, (method, _params, ask) => ask().then((answer) => (method === 'eth_call'
      ? { result: answer.result.slice(0, -64) + forged.slice(2) } : answer))],
    'no final block': [/is the last final one/, 3, (_method, params, ask) => (params?.[0] === 'finalized' ? { result: { number: '0x1' } } : ask())],
    'another chain': [/is not answered \(.*chain/, 3, (method, _params, ask) => (method === 'eth_chainId' ? { result: '0x1' } : ask())],
    'garbage': [/is not answered/, 3, () => '<html>'],
  }
  for (const [what, [why, status, change]] of Object.entries(answers)) {
    endpoint.change = change
    await refused(why, path, { rpc: endpoint.url, status }).catch((error) => { throw new Error(`${what}: ${error.message}`) })
  }
  // One of two is not enough.
  endpoint.change = answers['no root'][2]
  const both = await kaisar(['verify-bill', '--rpc', chain.url, '--rpc', endpoint.url, ...place(), path])
  assert.equal(both.code, 1, both.said)
  endpoint.change = honest
  assert.equal((await verify(path, { rpc: endpoint.url })).code, 0)
})

test('a rental that was tried on two machines: no lease can be left out, not by the network either', async () => {
  await network.worker()
  const { id } = await rentals.order({ image: 'localhost:1/kaisar/none:1', cpu_milli: 500, memory: '64MiB', disk: '256MiB' })
  await rentals.is(id, 'failed')
  const { said } = await until('the bill to be on the chain', async () => {
    const answer = await verify(id)
    return answer.code === 0 && answer
  }, 60000)
  assert.match(said, /Its end, after 2 leases:/)
  const whole = await tenant.get(`/v1/bills/${id}`), [first, second] = whole.leases
  await checkBill(whole, network.address)
  assert.equal(whole.leases.length, 2)

  const key = `0x${(await readFile(join(network.dir, 'server/keys/network.key'), 'utf8')).trim()}`
  const lies = {
    'the second left out': [/Its end, after 1 lease:\n.*another record of this id/, { ...whole, leases: [first], placings: 1 }],
    'the first left out': [/placing: expected more than 0, at most 1, found 2/, { ...whole, leases: [second], placings: 1 }],
    'the first left out, and the second its number': [/another record of this id/, { ...whole, leases: [{ ...second, placing: 1 }], placings: 1 }],
    'the second left out, and counted': [/leases: expected 2, found 1/, { ...whole, leases: [first] }],
    'the other order': [/placing: expected more than 2, at most 2, found 1/, { ...whole, leases: [second, first] }],
    'the other order, and numbers': [/another record of this id/, { ...whole, leases: [{ ...second, placing: 1 }, { ...first, placing: 2 }] }],
    'one twice': [/lease: expected once, found twice/, { ...whole, leases: [first, second, { ...second, placing: 3 }], placings: 3 }],
    'one of another rental': [/terms signature: expected/, { ...whole, leases: [first, { ...bill.leases[0], placing: 2 }], total: bill.total }],
  }
  for (const [what, [why, lie]] of Object.entries(lies)) {
    const alone = await kaisar(['verify-bill', await kept(lie)])
    assert.match(alone.said, /bill signature: expected/, what)
    assert.equal(alone.code, 1, what)
    await refused(why, await kept(await resigned(lie, key))).catch((error) => { throw new Error(`${what}: ${error.message}`) })
  }
})

test('without an endpoint nobody is asked', async () => {
  const { code, said } = await kaisar(['verify-bill', await kept(bill)], { url: 'http://127.0.0.1:1' })
  assert.equal(code, 0, said)
  assert.doesNotMatch(said, /chain/)
})

test('what was asked for wrongly is said before anything of the bill', async () => {
  const path = await kept(bill)
  for (const words of [['--rpc', ''], ['--rpc', 'ftp://x'], ['--rpc', chain.url, '--publisher', 'nonsense'], ['--anchor-contract', '0x1']]) {
    const { code, stdout } = await kaisar(['verify-bill', ...words, path])
    assert.deepEqual([code, stdout], [2, ''], words)
  }
})
