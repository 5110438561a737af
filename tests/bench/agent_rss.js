// Resident memory of an agent at rest: connected, with no rental, ten seconds after its start. Its peak so
// far, since a machine short of memory takes pages of libraries away again.
import { readFile } from 'node:fs/promises'
import { Network, sleep } from '../blackbox/lib/network.js'

export async function agentRss() {
  const network = await Network.start({ heartbeat_ms: 5000 })
  try {
    const agent = await network.worker()
    await sleep(10000)
    const status = await readFile(`/proc/${agent.program.child.pid}/status`, 'utf8')
    const mib = Number(/VmHWM:\s+(\d+) kB/.exec(status)[1]) / 1024
    return { value: mib, unit: 'MiB', goal: '<= 12 MiB', holds: (value) => value <= 12 }
  } finally {
    await network.stop()
  }
}
