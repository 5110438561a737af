// Runs the benches by name (all without one), prints a line each, and appends JSON lines to
// build/bench.jsonl: name, value, unit, peer, peer_value, ratio, goal, holds.
import { appendFileSync, mkdirSync } from 'node:fs'
import { agentRss } from './agent_rss.js'
import { anchorInterference } from './anchor_interference.js'
import { durableRentals } from './durable_rentals.js'
import { httpPing } from './http_ping.js'
import {
  chargingPostgres, chargingSqlite, ledgerPostgres, ledgerPostgresSingle, ledgerSqlite, ledgerSqliteSingle,
} from './ledger.js'
import { merkleMillion } from './merkle.js'
import { popwProve, popwRatio, popwVerify } from './popw.js'
import { rewardsEpoch } from './rewards.js'
import { startLatency } from './start_latency.js'

const benches = {
  start_latency: startLatency, durable_rentals: durableRentals,
  charging_sqlite: chargingSqlite, charging_postgres: chargingPostgres, ledger_sqlite: ledgerSqlite,
  ledger_sqlite_single: ledgerSqliteSingle, ledger_postgres: ledgerPostgres, ledger_postgres_single: ledgerPostgresSingle,
  http_ping: httpPing, agent_rss: agentRss, rewards_epoch: rewardsEpoch,
  merkle_million: merkleMillion, anchor_interference: anchorInterference,
  popw_verify: popwVerify, popw_ratio: popwRatio, popw_prove: popwProve,
}

const names = process.argv.slice(2)
for (const name of names) {
  if (!benches[name]) {
    console.error(`no bench '${name}'; there are: ${Object.keys(benches).join(' ')}`)
    process.exit(2)
  }
}

const round = (x) => (x === undefined || x === null ? null : Number(x.toPrecision(4)))
mkdirSync('build', { recursive: true })
for (const name of names.length ? names : Object.keys(benches)) {
  for (const figure of [await benches[name]()].flat()) report(figure.name ?? name, figure)
}

// The ratio is of the two values, or what a bench reckoned round by round.
function report(name, figure) {
  const ratio = figure.ratio ?? figure.value / figure.peerValue
  const row = {
    name, value: round(figure.value), unit: figure.unit, peer: figure.peer ?? null, peer_value: round(figure.peerValue),
    ratio: figure.peerValue ? round(ratio) : null, goal: figure.goal ?? null,
    holds: figure.holds ? figure.holds(figure.value, ratio) : null,
  }
  appendFileSync('build/bench.jsonl', `${JSON.stringify(row)}\n`)
  const peer = row.peer ? `, ${row.peer} ${row.peer_value}, ratio ${row.ratio}` : ''
  const goal = row.goal ? ` (goal ${row.goal}: ${row.holds ? 'holds' : 'missed'})` : ''
  console.log(`${name.padEnd(22)} ${row.value} ${row.unit}${peer}${goal}`)
}
