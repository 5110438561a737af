// What anchoring costs those who use the API: how long a write takes at the 99th percentile while in three seconds as many
// records are anchored as a million a day make in ten minutes, beside the same load without any, on SQLite, whose one
// writer both need. Each round has both, in turns first, and its own ratio; the median of those is the figure, so that
// what else the machine does in a round, or more and more, is in neither.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Chain } from '../blackbox/lib/chain.js'
import { Signer, deployContracts } from '../blackbox/lib/deployment.js'
import { Network, until } from '../blackbox/lib/network.js'
import { median } from './measure.js'

const rounds = 11, seconds = 3, clients = 8, leaves = 7000

// Records that became final while the control plane was away.
function fill(db, first) {
  execFileSync('python3', ['-c', `import hashlib, sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30)
db.executemany("INSERT INTO chain_leaves (kind, id, digest) VALUES (1, ?, ?)",
  ((hashlib.sha256(b"%d" % i).digest(), b"d" * 32) for i in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3]))))
db.commit()`, db, String(first), String(leaves)])
}

async function load(network) {
  const until = Date.now() + seconds * 1000, times = []
  await Promise.all(Array.from({ length: clients }, async () => {
    while (Date.now() < until) {
      const began = process.hrtime.bigint()
      await network.operator.post('/v1/admin/credits', { account: network.operator.address, amount: '0.01', key: `k${Math.random()}`, memo: 'load' }, 201)
      times.push(Number(process.hrtime.bigint() - began) / 1e6)
    }
  }))
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)]
}

export async function anchorInterference() {
  const dir = await mkdtemp('/tmp/kaisar-bench-')
  const chain = await Chain.start()
  const addresses = await deployContracts(chain, dir)
  const signer = await Signer.start(chain, addresses, join(dir, 'signer'))
  const network = await Network.start({ anchor_every_ms: 200 },
    ['--chain-rpc', chain.url, '--chain-addresses', addresses, '--chain-signer', signer.path])
  const idle = [], busy = [], ratios = []
  const made = async () => (await network.operator.get('/v1/anchors?limit=1')).items[0]
  const quiet = () => until('the last root to be final', async () => {
    const { anchors } = await network.operator.get('/v1/admin/chain')
    return !anchors.waiting && (await made())?.final !== false
  }, 120000)
  const measureBusy = async (round) => {
    const before = (await made())?.sequence ?? 0
    fill(join(network.dir, 'server/kaisar.db'), round * leaves)
    busy.push(await load(network))
    if (((await made())?.sequence ?? 0) === before) throw new Error(`no root was made under the load of round ${round}`)
    await quiet()
  }
  try {
    await network.operator.login()
    await load(network)
    for (let i = 0; i < rounds; i++) {
      if (i % 2) await measureBusy(i)
      idle.push(await load(network))
      if (i % 2 === 0) await measureBusy(i)
      ratios.push(busy[i] / idle[i])
    }
  } finally {
    await network.stop()
    await signer.stop()
    await chain.stop()
    await rm(dir, { recursive: true, force: true })
  }
  console.error(`ratios: ${ratios.map((ratio) => ratio.toFixed(2)).sort().join(' ')}`)
  return {
    value: median(busy), unit: 'ms, 99th percentile', peer: 'without anchoring', peerValue: median(idle), ratio: median(ratios),
    goal: 'ratio <= 1.5', holds: (_, ratio) => ratio <= 1.5,
  }
}
