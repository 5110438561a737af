// GET /v1/ping against nginx with one worker returning the same body; wrk with 50 connections on one
// thread. Short runs, interleaved, nine of each: on a shared machine a burst of others' work then hits
// both, and the medians pass over it.
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Network, freePort, until } from '../blackbox/lib/network.js'
import { median, run } from './measure.js'

async function wrk(url) {
  const out = await run('wrk', ['-t', '1', '-c', '50', '-d', '1', url])
  if (/Non-2xx|Socket errors/.test(out)) throw new Error(out)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(out)[1])
}

async function startNginx(port) {
  const dir = await mkdtemp(join(tmpdir(), 'kaisar-nginx-'))
  await writeFile(join(dir, 'nginx.conf'), `
    daemon off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log;
    events { worker_connections 1024; }
    http { access_log off; keepalive_requests 100000000; default_type application/json;
      server { listen 127.0.0.1:${port}; location /v1/ping { return 200 '{"ok":true}'; } } }`)
  const child = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir, '-e', join(dir, 'error.log')], { stdio: 'ignore' })
  await until('nginx', () => fetch(`http://127.0.0.1:${port}/v1/ping`).then((a) => a.ok, () => false))
  return { child, stop: async () => { child.kill('SIGTERM'); await rm(dir, { recursive: true, force: true }) } }
}

export async function httpPing() {
  const network = await Network.start()
  const port = await freePort()
  const nginx = await startNginx(port)
  const ours = [], theirs = []
  try {
    await wrk(`${network.url}/v1/ping`)
    await wrk(`http://127.0.0.1:${port}/v1/ping`)
    for (let i = 0; i < 9; i++) {
      ours.push(await wrk(`${network.url}/v1/ping`))
      theirs.push(await wrk(`http://127.0.0.1:${port}/v1/ping`))
    }
  } finally {
    await nginx.stop()
    await network.stop()
  }
  return {
    value: median(ours), unit: 'requests/s', peer: 'nginx, 1 worker', peerValue: median(theirs),
    goal: 'ratio >= 0.8', holds: (_, ratio) => ratio >= 0.8,
  }
}
