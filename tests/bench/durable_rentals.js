// Orders taken durably a second: POST /v1/rentals with a fresh Idempotency-Key each, 64 at a time, by 120
// accounts on 400 machines (tests/bench/claimant.c), on SQLite. Each is one transaction: the hold, the
// signed terms, the machine's resources, the container to run, history, event and stored answer.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Network, writeFile } from '../blackbox/lib/network.js'
import { run } from './measure.js'

const accounts = 120, machines = 400, seconds = 10

async function claim(network) {
  const provider = await network.tenant(null)
  const child = spawn('build/release/tests/bench/claimant', [network.url, provider.token, String(machines)],
    { stdio: ['ignore', 'pipe', 'inherit'] })
  const said = await Promise.race([once(child.stdout, 'data'), once(child, 'close')])
  if (!String(said[0]).startsWith('claimed')) throw new Error('the machines did not join')
  return child
}

export async function durableRentals() {
  const network = await Network.start({
    heartbeat_ms: 2000, offline_after_ms: 60000, lost_after_ms: 600000, place_deadline_ms: 600000,
  })
  let claimant
  try {
    claimant = await claim(network)
    const tokens = []
    for (let i = 0; i < accounts; i++) tokens.push((await network.tenant('1000')).token)
    const file = join(network.dir, 'tokens')
    await writeFile(file, `${tokens.join('\n')}\n`)
    const out = await run('wrk', ['-t', '1', '-c', '64', '-d', `${seconds}s`, '-s', 'tests/bench/durable_rentals.lua', network.url],
      { env: { ...process.env, TOKENS: file } })
    const [orders, spent, refused] = /^(\d+)\s+([\d.]+)\s+(\d+)$/m.exec(out).slice(1).map(Number)
    if (refused > orders / 100) throw new Error(`${refused} orders were refused, ${orders} taken:\n${network.server.output.slice(-2000)}`)
    return { value: orders / spent, unit: 'rentals/s' }
  } finally {
    if (claimant) {
      claimant.kill('SIGTERM')
      await once(claimant, 'close')
    }
    await network.stop()
  }
}
