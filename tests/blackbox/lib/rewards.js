// An epoch's payouts as the document has them, in a few lines of BigInt and fractions: written from docs/rewards.md,
// not from the C program, to be compared with it in every unit. And epochs from a seed.
import { keccak256 } from 'viem'

const WEIGHT = { bandwidth: 2n, cores: 1n, gpu: 3n, disk: 1n, memory: 1n, jobtime: 3n }

// Shares of `total` by the weights: floors, then a unit each to the largest remainders, the first of equals first.
export function shares(total, weights) {
  const sum = weights.reduce((a, b) => a + b, 0n)
  if (sum === 0n) return null
  const parts = weights.map((w) => (total * w) / sum)
  const rest = weights.map((w, i) => [(total * w) % sum, i])
  const left = Number(total - parts.reduce((a, b) => a + b, 0n))
  rest.sort((a, b) => (a[0] === b[0] ? a[1] - b[1] : a[0] > b[0] ? -1 : 1))
  for (const [, i] of rest.slice(0, left)) parts[i] += 1n
  return parts
}

// The document's tables, as printed, in tenths: the first row that fits.
const tenths = (figure, [top, second, third]) => (figure > top ? 8n : figure >= second ? 6n : figure >= third ? 4n : figure > 0n ? 2n : 0n)
const bandwidth = (down, up) => [[1600n, 1200n, 8n], [800n, 600n, 6n], [400n, 300n, 4n], [75n, 75n, 2n], [0n, 0n, 0n]]
  .find(([d, u]) => down >= d && up >= u)[2]

function machine([down, up, cores, gpuMilli, disk, memory]) {
  return 100n * (WEIGHT.bandwidth * bandwidth(down, up) + WEIGHT.cores * tenths(cores, [128n, 64n, 32n])
    + WEIGHT.disk * tenths(disk, [10240n, 5120n, 512n]) + WEIGHT.memory * tenths(memory, [512n, 128n, 32n]))
    + WEIGHT.gpu * gpuMilli
}

function read(text) {
  const lines = text.split('\n').map((line) => line.split(' '))
  const terms = Object.fromEntries(lines.slice(1, 7).map(([name, value]) => [name, BigInt(value)]))
  const workers = [], checkers = []
  let last
  for (const [kind, ...words] of lines.slice(7)) {
    if (kind === 'delegator') last.delegators.push({ account: words[0], stake: BigInt(words[1]) })
    if (kind !== 'worker' && kind !== 'checker') continue
    last = { id: words[0], owner: words[1], figures: words.slice(2, -1).map(BigInt), banned: words.at(-1) === 'banned', delegators: [] }
    ;(kind === 'worker' ? workers : checkers).push(last)
  }
  return { terms, workers, checkers }
}

function pot(total, weights) {
  const parts = shares(total, weights)
  return { total, left: parts ? 0n : total, parts: parts ?? weights.map(() => 0n) }
}

// The lines of a record: its own, with the owner's part, and its delegators'.
function lines(kind, record, amounts, commission) {
  const reward = amounts.reduce((a, b) => a + b, 0n)
  const delegated = record.delegators.length > 0 && reward > 0n
  const [owner, together] = delegated ? shares(reward, [10000n - commission, commission]) : [reward, 0n]
  const each = delegated ? shares(together, record.delegators.map(({ stake }) => stake)) : []
  return [[kind, record.id, record.owner, ...amounts, owner].join(' '),
    ...record.delegators.map(({ account }, i) => `delegator ${account} ${each[i] ?? 0n}`)]
}

export function recompute(text) {
  const { terms, workers, checkers } = read(text)
  const [capacityTotal, deliveryTotal] = shares(terms.worker_total, [10000n - terms.ratio_bp, terms.ratio_bp])
  const score = ({ figures: [, , stake, ...figures], banned }, seconds) =>
    (banned ? 0n : seconds * (terms.max_stake + (stake < terms.max_stake ? stake : terms.max_stake)) * machine(figures))
  const capacity = pot(capacityTotal, workers.map((w) => score(w, w.figures[0])))
  const delivery = pot(deliveryTotal, workers.map((w) => score(w, w.figures[1] * WEIGHT.jobtime)))
  const checking = pot(terms.checker_total, checkers.map(({ figures: [licencesMilli, valid, wrong], banned }) => {
    const errorPpm = valid + wrong > 0n ? (wrong * 1000000n) / (valid + wrong) : 0n
    return banned ? 0n : valid * licencesMilli * (1000000n - errorPpm)
  }))
  return [
    'kaisar epoch payouts 1', `epoch ${terms.epoch}`, `records ${keccak256(Buffer.from(text)).slice(2)}`,
    ...Object.entries({ capacity, delivery, checking }).map(([name, { total, left }]) => `${name} ${total} ${left}`),
    ...workers.flatMap((w, i) => lines('worker', w, [capacity.parts[i], delivery.parts[i]], terms.commission_bp)),
    ...checkers.flatMap((c, i) => lines('checker', c, [checking.parts[i]], terms.commission_bp)),
    'end', '',
  ].join('\n')
}

// Numbers from a seed: mulberry32.
function numbers(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

// The text of an epoch's records. Small sizes bring ties, zeros and pots that nobody earns.
export function randomEpoch(seed, { workers, checkers, delegators = 4 }) {
  const next = numbers(seed)
  const tokens = () => {
    let units = 0n
    for (let i = 0; i < 3; i++) units = (units << 32n) | BigInt(next(2 ** 32))
    return units >> BigInt(next(96))
  }
  const some = (below) => (next(6) === 0 ? [0, below - 1][next(2)] : next(below))
  const address = (n) => `0x${n.toString(16).padStart(40, '0')}`
  const standing = () => (next(10) === 0 ? 'banned' : 'ok')
  const delegated = (stake) => Array.from({ length: next(2) * next(delegators + 1) }, (_, i) => `delegator ${address(1000 + i * 7)} ${stake()}`)
  const out = ['kaisar epoch records 1', `epoch ${next(1000)}`, `worker_total ${tokens()}`, `checker_total ${tokens()}`,
    `ratio_bp ${some(10001)}`, `commission_bp ${some(10001)}`, `max_stake ${(tokens() >> 1n) + 1n}`]
  const same = next(4) === 0 // everybody alike: remainders that are equal
  const machineOf = () => [some(1209601), some(2) * some(1209601), next(2) ? 0n : tokens(), some(2500), some(2000), some(200),
    some(9) * 750, some(15000), some(800)].join(' ')
  const first = machineOf()
  for (let i = 0; i < workers; i++)
    out.push(`worker ${address(i + 1)} ${address(next(workers) + 1)} ${same ? first : machineOf()} ${standing()}`,
      ...delegated(() => tokens() + 1n))
  for (let i = 0; i < checkers; i++)
    out.push(`checker ${address(i + 1)} ${address(next(checkers) + 1)} ${some(30)} ${some(2000)} ${some(40)} ${standing()}`,
      ...delegated(() => next(10) + 1))
  return [...out, 'end', ''].join('\n')
}
