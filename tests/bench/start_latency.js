// From the request to the process running, image present: POST /v1/rentals against `podman run -d` of the
// same image with the same limits on the same engine. The end is the engine's own StartedAt in both
// cases; interleaved, the median of 15.
import { Network, containersOf, demoImage, engineCall, until } from '../blackbox/lib/network.js'
import { median, run } from './measure.js'

const rounds = 15

async function startedAt(id) {
  const seen = await engineCall('GET', `/containers/${id}/json`)
  const [, seconds, fraction] = /^(.*:\d\d)(\.\d+)?/.exec(seen.State.StartedAt)
  return Date.parse(`${seconds}Z`) + Number(fraction ?? 0) * 1000
}

async function ours(tenant) {
  const began = performance.timeOrigin + performance.now()
  const rental = await tenant.post('/v1/rentals', { image: demoImage, cpu_milli: 500, memory: '64MiB', disk: '256MiB', ports: [8080] }, 201)
  const container = await until('the container', async () => {
    const { state } = await tenant.get(`/v1/rentals/${rental.id}`)
    return state === 'running' && (await containersOf(rental.id))[0]
  })
  const ms = await startedAt(container.Id) - began
  await tenant.post(`/v1/rentals/${rental.id}/stop`, {})
  await until('the end', async () => (await tenant.get(`/v1/rentals/${rental.id}`)).state === 'stopped')
  await tenant.delete(`/v1/rentals/${rental.id}`)
  await until('the removal', async () => (await containersOf(rental.id)).length === 0)
  return ms
}

async function theirs() {
  const dir = process.env.KAISAR_TEST_ENGINE_DIR
  const env = { ...process.env, CONTAINERS_CONF: `${dir}/containers.conf`, CONTAINERS_STORAGE_CONF: `${dir}/storage.conf`, TMPDIR: `${dir}/tmp` }
  const pid = (await run('cat', [`${dir}/podman.pid`])).trim()
  const podman = (args) => run('nsenter', [`--net=/proc/${pid}/ns/net`, 'podman', ...args], { env })
  const began = performance.timeOrigin + performance.now()
  const id = (await podman(['run', '-d', '--cpus', '0.5', '--memory', '64m', '--memory-swap', '64m', '--pids-limit', '1024', '--cap-drop', 'all',
    '--security-opt', 'no-new-privileges', '-p', '8080', '--stop-timeout', '1', demoImage])).trim()
  const ms = await startedAt(id) - began
  await podman(['rm', '-f', '-t', '0', id])
  return ms
}

export async function startLatency() {
  const network = await Network.start()
  const mine = [], peer = []
  try {
    await network.worker()
    const tenant = await network.tenant('10')
    await ours(tenant)
    await theirs()
    for (let i = 0; i < rounds; i++) {
      mine.push(await ours(tenant))
      peer.push(await theirs())
    }
  } finally {
    await network.stop()
  }
  return {
    value: median(mine), unit: 'ms', peer: 'podman run -d', peerValue: median(peer),
    goal: 'ratio <= 1.0', holds: (_, ratio) => ratio <= 1.0,
  }
}
