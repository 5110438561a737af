// Postings a second through the ledger (tests/bench/ledger_bench.c), among 100,000 people, against
// pgbench's own TPC-B-like script at 32 clients on a PostgreSQL of this machine; interleaved, the median
// of three. A pgbench transaction is three updates, a select and an insert; a posting is four inserted
// rows and two updated balances.
//
// charging_*: usage records through the product's own queue (tests/bench/charging_bench.c): signatures
// checked, leases read and written, a posting each, receipts signed.
// ledger_*: one writer, 500 postings a transaction: what ledger_post_many takes.
// ledger_*_single: 32 writers, a transaction for each posting.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median, run } from './measure.js'

const programs = 'build/release/tests/bench'
const bin = process.env.KAISAR_TEST_POSTGRES_BIN
const base = process.env.KAISAR_TEST_POSTGRES
const seconds = 5, rounds = 3, scale = 40
const shapes = { batched: [1, 500], single: [32, 1] }
let number = 0

async function database() {
  const name = `bench${process.pid}_${number++}`
  await run(join(bin, 'psql'), ['-q', base, '-c', `CREATE DATABASE ${name}`])
  return base.replace('/postgres?', `/${name}?`)
}

async function ours(url, shape) {
  if (shape === 'charging') return Number(await run(`${programs}/charging_bench`, [url, '4', String(seconds)]))
  const [threads, batch] = shapes[shape]
  return Number(await run(`${programs}/ledger_bench`, [url, threads, seconds, batch].map(String)))
}

async function pgbench(url) {
  const out = await run(join(bin, 'pgbench'), ['-n', '-c', '32', '-j', '2', '-T', String(seconds), url])
  return Number(/tps = ([\d.]+)/.exec(out)[1])
}

let peerUrl

async function compare(url, shape) {
  if (!peerUrl) {
    peerUrl = await database()
    await run(join(bin, 'pgbench'), ['-i', '-q', '-s', String(scale), peerUrl])
  }
  const mine = [], peer = []
  for (let i = 0; i < rounds; i++) {
    mine.push(await ours(url, shape))
    peer.push(await pgbench(peerUrl))
  }
  return {
    value: median(mine), unit: shape === 'charging' ? 'records/s' : 'postings/s', peer: 'pgbench TPC-B, 32 clients', peerValue: median(peer),
    ...(shape === 'batched' && { goal: 'ratio >= 3', holds: (_, ratio) => ratio >= 3 }),
  }
}

const onPostgres = async (shape) => compare(await database(), shape)

async function onSqlite(shape) {
  const dir = await mkdtemp(join(tmpdir(), 'kaisar-ledger-'))
  try {
    return await compare(`sqlite:${dir}/ledger.db`, shape)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

export const ledgerPostgres = () => onPostgres('batched')
export const ledgerPostgresSingle = () => onPostgres('single')
export const ledgerSqlite = () => onSqlite('batched')
export const ledgerSqliteSingle = () => onSqlite('single')
export const chargingPostgres = () => onPostgres('charging')
export const chargingSqlite = () => onSqlite('charging')
