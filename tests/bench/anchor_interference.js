// What anchoring costs those who use the API: how long a write takes at the 99th percentile while in three seconds as many
// records are anchored as a million a day make in ten minutes, beside the same load without any; interleaved, on SQLite,
// whose one writer both need.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Chain } from '../blackbox/lib/chain.js'
import { Signer, deployContracts } from '../blackbox/lib/deployment.js'
import { Network } from '../blackbox/lib/network.js'
import { median } from './measure.js'

const rounds = 7, seconds = 3, clients = 8, leaves = 7000

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
  const made = async () => (await network.operator.get('/v1/anchors?limit=1')).items[0]?.sequence ?? 0
  const idle = []
  const busy = []
  let roots = 0
  try {
    await network.operator.login()
    await load(network)
    for (let i = 0; i < rounds; i++) {
      idle.push(await load(network))
      fill(join(network.dir, 'server/kaisar.db'), i * leaves)
      const before = await made()
      busy.push(await load(network))
      roots += await made() - before
      while ((await network.operator.get('/v1/admin/chain')).anchors.waiting) await load(network)
    }
  } finally {
    await network.stop()
    await signer.stop()
    await chain.stop()
    await rm(dir, { recursive: true, force: true })
  }
  if (roots < rounds / 2) throw new Error(`only ${roots} roots were made under load`)
  return {
    value: median(busy), unit: 'ms, 99th percentile', peer: 'without anchoring', peerValue: median(idle),
    goal: 'ratio <= 1.5', holds: (_, ratio) => ratio <= 1.5,
  }
}
