// An epoch of 100,000 workers and 30,000 checkers, from the text of its records to that of its payouts, on one core,
// beside the same in plain BigInt (tests/blackbox/lib/rewards.js) in this run. They must agree in every unit.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomEpoch, recompute } from '../blackbox/lib/rewards.js'
import { run } from './measure.js'

export async function rewardsEpoch() {
  const dir = await mkdtemp(join(tmpdir(), 'kaisar-rewards-'))
  try {
    const records = randomEpoch(20, { workers: 100000, checkers: 30000 })
    await writeFile(join(dir, 'records'), records)
    const value = Number(await run('build/release/tests/bench/rewards_epoch_bench', [join(dir, 'records'), join(dir, 'payouts')]))
    const began = performance.now()
    const expected = recompute(records)
    const peerValue = performance.now() - began
    assert.ok(await readFile(join(dir, 'payouts'), 'utf8') === expected, 'the payouts differ from the reference')
    return { value, unit: 'ms', peer: 'BigInt in node, equal in every unit', peerValue, goal: 'under 10 s', holds: (ms) => ms < 10000 }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
