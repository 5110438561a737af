// Proof of Physical Work on one core: verifying a session of full size, how much less that is than proving, and the CPU
// prover. Figures are of CPU time, from tests/bench/popw_bench.c.
import { run } from './measure.js'

async function figures(...args) {
  const out = await run('build/release/tests/bench/popw_bench', args, { env: { ...process.env, OMP_NUM_THREADS: '1' } })
  return Object.fromEntries(out.trim().split('\n').map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]))
}

export async function popwVerify() {
  const limits = { avx512: 0.15, avx2: 0.35, scalar: null }
  const rows = []
  for (const [level, limit] of Object.entries(limits)) {
    const { seconds } = await figures('verify', level).catch((error) => {
      if (!/not on this machine/.test(error.message)) throw error
      return {}
    })
    if (seconds === undefined) continue
    const goal = limit ? { goal: `at most ${limit} s`, holds: (s) => s <= limit } : {}
    rows.push({ name: `popw_verify_${level}`, value: seconds, unit: 's', ...goal })
  }
  return rows
}

// Counted of an H100's session; counted and measured of one that this machine can prove, where they must be of one size.
export async function popwRatio() {
  const ratio = await figures('ratio')
  const goal = { goal: 'at least 1000', holds: (times) => times >= 1000 }
  return [
    { name: 'popw_ratio', value: ratio.counted, unit: 'times less work', ...goal },
    { name: 'popw_ratio_small', value: ratio.small_measured, unit: 'times less time', peer: 'counted', peerValue: ratio.small_counted },
  ]
}

export async function popwProve() {
  const proved = await figures('prove')
  const rows = [
    { name: 'popw_prove_tiles', value: proved.tiles_per_second, unit: 'tiles a second, K 65536, from seeds' },
    { name: 'popw_prove_walk', value: proved.steps_per_second, unit: 'steps a second, 64 MiB' },
    { name: 'popw_prove_session', value: proved.session_seconds, unit: 's of one core, a session of class cpu' },
  ]
  const gemm = await figures('gemm').catch((error) => {
    if (!/without oneDNN/.test(error.message)) throw error
    return {}
  })
  rows.push({ name: 'popw_prove_gemm', value: gemm.ours_gops ?? 0, unit: 'GOPS', peer: gemm.theirs_gops ? 'oneDNN s8s8s32' : undefined, peerValue: gemm.theirs_gops })
  return rows
}
