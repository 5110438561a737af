// The bill recomputed by somebody else: viem and a few lines, from the documents' layout alone
// (src/wire/sign.h). It shares no code with the program.
import assert from 'node:assert/strict'
import { bytesToHex, concat, hexToBytes, keccak256, pad, recoverAddress, serializeSignature, stringToBytes, toBytes } from 'viem'
import { sign } from 'viem/accounts'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

// "rnt-..." to its 16 bytes.
export function idBytes(text) {
  let value = 0n
  for (const digit of text.split('-')[1]) value = value * 32n + BigInt(alphabet.indexOf(digit))
  return toBytes(value, { size: 16 })
}

export function micro(text) {
  const [, sign, whole, places = ''] = /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(text)
  return BigInt(`${sign}${whole}${places.padEnd(6, '0')}`)
}

const tag = (name) => pad(stringToBytes(name), { size: 16, dir: 'right' })
const number = (value) => toBytes(BigInt(value), { size: 8 })
const address = (text) => hexToBytes(text)

export function usageDigest(network, lease, usage) {
  return keccak256(concat([tag('kaisar-usage-1'), address(network), address(lease.machine), idBytes(lease.lease),
    idBytes(lease.rental), number(usage.sequence), number(usage.started_at_ms), number(usage.until_ms),
    number(usage.seconds), Uint8Array.of(usage.final ? 1 : 0)]))
}

function excuseDigest(network, lease, excuse) {
  return keccak256(concat([tag('kaisar-excuse-2'), address(network), idBytes(lease.lease),
    excuse.proof ? idBytes(excuse.proof) : new Uint8Array(16), number(excuse.hour ?? 0),
    number(excuse.from_ms), number(excuse.until_ms)]))
}

async function signedBy(digest, signature, expected, what) {
  const signer = await recoverAddress({ hash: digest, signature })
  assert.equal(signer.toLowerCase(), expected.toLowerCase(), what)
}

// What was used before the lease's end, a begun second included; nothing of what could not be used.
// And nothing of the time in which checkers found the machine unusable.
function billedSeconds({ billed, ended_at_ms: ended, usage, excuses }) {
  if (!billed) return 0
  let seconds = usage.seconds
  if (ended !== null)
    seconds = ended < usage.started_at_ms ? 0 : Math.min(seconds, Math.floor((ended - usage.started_at_ms) / 1000) + 1)
  const last = Math.min(usage.until_ms, ended ?? Infinity)
  const excused = excuses.reduce((sum, { from_ms: from, until_ms: until }) =>
    sum + Math.max(0, Math.min(until || Infinity, last) - Math.max(from, usage.started_at_ms)), 0)
  return Math.max(0, seconds - Math.floor(excused / 1000))
}

// Checks every signature and charge; the total in micro-units and the seconds.
export async function checkBill(bill, network) {
  let total = 0n, seconds = 0
  assert.equal(bill.network.toLowerCase(), network.toLowerCase())
  for (const lease of bill.leases) {
    const terms = keccak256(concat([tag('kaisar-terms-1'), address(network), idBytes(bill.rental), idBytes(lease.lease),
      address(bill.tenant), address(lease.machine), number(micro(lease.rate_hour)), number(lease.fee_basis_points),
      number(lease.placed_at_ms)]))
    await signedBy(terms, lease.terms_signature, network, 'the network signed the terms')
    if (!lease.usage) {
      assert.equal(micro(lease.charged), 0n)
      continue
    }
    const digest = usageDigest(network, { ...lease, rental: bill.rental }, lease.usage)
    await signedBy(digest, lease.usage.signature, lease.machine, 'the machine signed the usage')
    const receipt = keccak256(concat([tag('kaisar-receipt-1'), hexToBytes(digest), number(micro(lease.charged))]))
    await signedBy(receipt, lease.receipt_signature, network, 'the network signed the receipt')
    for (const excuse of lease.excuses) {
      assert.notEqual(excuse.proof === null, excuse.hour === null, 'it has a proof or an hour')
      await signedBy(excuseDigest(network, lease, excuse), excuse.signature, network, 'the network signed the excuse')
    }
    const billed = billedSeconds(lease)
    assert.equal(micro(lease.charged) + micro(lease.unpaid), micro(lease.rate_hour) * BigInt(billed) / 3600n)
    total += micro(lease.charged)
    seconds += billed
  }
  assert.equal(micro(bill.total), total)
  await signedBy(billDigest(bill), bill.signature, network, 'the network signed the bill')
  assert.deepEqual(bill.leases.map(({ placing }) => placing), Array.from({ length: bill.placings }, (_, i) => i + 1))
  return { total, seconds }
}

// The evidence of an hour: every report is signed by who was drawn, and what a majority of all who were drawn
// did not reach, second by second, is what is said to follow. Those seconds, since 1970.
export async function checkHour(evidence, network, tenant) {
  const { machine, hour, hour_ms: hourMs, watchers } = evidence
  const short = (value) => toBytes(BigInt(value), { size: 2 })
  const counts = Array(hourMs / 1000).fill(0), withoutTenant = [...counts]
  const others = watchers.filter(({ account }) => account.toLowerCase() !== tenant.toLowerCase())
  for (const { checker, report } of watchers) {
    if (!report) continue
    const digest = keccak256(concat([tag('kaisar-uptime-2'), address(network), address(machine), address(checker),
      number(hourMs), number(hour), number(report.polls), number(report.answered),
      ...report.away.flatMap(({ from_s: from, until_s: until }) => [short(from), short(until)])]))
    await signedBy(digest, report.signature, checker, 'the checker signed its report')
    for (const { from_s: from, until_s: until } of report.away)
      for (let second = from; second < until; second++) {
        counts[second]++
        if (others.some((other) => other.checker === checker)) withoutTenant[second]++
      }
  }
  const needed = (drawn) => (drawn < evidence.panel_least ? drawn : Math.floor(drawn / 2) + 1)
  const said = counts.map((_, second) => evidence.unusable.some((span) => second >= span.from_s && second < span.until_s))
  assert.deepEqual(counts.map((n) => n >= needed(watchers.length)), said)
  return withoutTenant.flatMap((n, second) => (n >= needed(others.length) ? [hour * hourMs / 1000 + second] : []))
}

const zeros = (size) => new Uint8Array(size)
const orZeros = (text, size) => (text ? hexToBytes(text) : zeros(size))

// All that the bill states of a lease; or, without @all, of its placing only.
function recordDigest(bill, lease, all) {
  const terms = keccak256(concat([tag('kaisar-terms-1'), address(bill.network), idBytes(bill.rental), idBytes(lease.lease),
    address(bill.tenant), address(lease.machine), number(micro(lease.rate_hour)), number(lease.fee_basis_points),
    number(lease.placed_at_ms)]))
  let excuses = zeros(32)
  for (const excuse of all ? lease.excuses : [])
    excuses = hexToBytes(keccak256(concat([excuses, hexToBytes(excuseDigest(bill.network, lease, excuse)), hexToBytes(excuse.signature)])))
  const usage = all ? lease.usage : null
  return keccak256(concat([tag('kaisar-record-2'), hexToBytes(terms), hexToBytes(lease.terms_signature), number(lease.placing),
    address(lease.provider), Uint8Array.of(!all || lease.billed ? 1 : 0), number(all ? lease.ended_at_ms ?? 0 : 0),
    usage ? hexToBytes(usageDigest(bill.network, { ...lease, rental: bill.rental }, usage)) : zeros(32),
    orZeros(usage?.signature, 65), orZeros(all && lease.receipt_signature, 65),
    number(all ? micro(lease.charged) : 0n), number(all ? micro(lease.unpaid) : 0n), excuses]))
}

// What the network anchors of a lease, by docs/records.md: the record that the bill names.
export const leaseRecord = (bill, lease) => ({
  id: bytesToHex(concat([idBytes(lease.lease), number(0), number(lease.record)])),
  digest: recordDigest(bill, lease, lease.record > 0),
})

// And of the rental's end.
export const rentalRecord = (bill) => ({
  id: bytesToHex(concat([idBytes(bill.rental), zeros(16)])),
  digest: keccak256(concat([tag('kaisar-rental-1'), address(bill.network), idBytes(bill.rental), address(bill.tenant),
    number(bill.placings)])),
})

// What the network signs of the whole bill.
export function billDigest(bill) {
  const leases = bill.leases.reduce((before, lease) =>
    hexToBytes(keccak256(concat([before, number(lease.record), hexToBytes(recordDigest(bill, lease, true))]))), zeros(32))
  return keccak256(concat([tag('kaisar-bill-1'), address(bill.network), idBytes(bill.rental), address(bill.tenant),
    number(bill.made_at_ms), number(bill.placings), number(bill.leases.length), leases, number(micro(bill.total))]))
}

// What a network would give out that lies about a bill of its own.
export const resigned = async (bill, privateKey) =>
  ({ ...bill, signature: serializeSignature(await sign({ hash: billDigest(bill), privateKey })) })
