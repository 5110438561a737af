// Postings a second through the ledger (tests/bench/ledger_bench.c: 32 threads, a transaction of 100
// postings each) against pgbench's own TPC-B-like script at 32 clients on a PostgreSQL of this machine;
// interleaved, the median of three. A pgbench transaction is three updates, a select and an insert; a
// posting is four inserted rows and two updated balances.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median, run } from './measure.js'

const program = 'build/release/tests/bench/ledger_bench'
const bin = process.env.KAISAR_TEST_POSTGRES_BIN
const base = process.env.KAISAR_TEST_POSTGRES
const threads = 32, seconds = 5, batch = 100, rounds = 3
let number = 0

async function database() {
  const name = `bench${process.pid}_${number++}`
  await run(join(bin, 'psql'), ['-q', base, '-c', `CREATE DATABASE ${name}`])
  return base.replace('/postgres?', `/${name}?`)
}

async function ours(url) {
  return Number(await run(program, [url, threads, seconds, batch].map(String)))
}

async function pgbench(url) {
  const out = await run(join(bin, 'pgbench'), ['-n', '-c', '32', '-j', '2', '-T', String(seconds), url])
  return Number(/tps = ([\d.]+)/.exec(out)[1])
}

async function compare(makeUrl) {
  const peerUrl = await database()
  await run(join(bin, 'pgbench'), ['-i', '-q', '-s', '10', peerUrl])
  const mine = [], peer = []
  for (let i = 0; i < rounds; i++) {
    mine.push(await ours(await makeUrl()))
    peer.push(await pgbench(peerUrl))
  }
  return {
    value: median(mine), unit: 'postings/s', peer: 'pgbench TPC-B, 32 clients', peerValue: median(peer),
    goal: 'ratio >= 3', holds: (_, ratio) => ratio >= 3,
  }
}

export const ledgerPostgres = () => compare(database)

export async function ledgerSqlite() {
  const dir = await mkdtemp(join(tmpdir(), 'kaisar-ledger-'))
  try {
    return await compare(async () => `sqlite:${dir}/${number++}.db`)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
