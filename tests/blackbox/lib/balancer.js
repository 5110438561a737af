// A real HAProxy in front of a network's instances: round-robin, but for what only the one does that has the nodes' links.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spawn } from 'node:child_process'

export class Balancer {
  static async start(dir, port, instances) {
    const it = new Balancer()
    const servers = (check) => instances.map(({ port }, i) => `  server i${i} 127.0.0.1:${port} check ${check}`).join('\n')
    const file = join(dir, 'haproxy.cfg')
    await writeFile(file, `
global
  maxconn 1000
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 5s
  timeout check 3s
  timeout tunnel 1h
  option redispatch
  retries 6
  retry-on conn-failure empty-response response-timeout 503
frontend in
  bind 127.0.0.1:${port}
  acl nodes path_beg /v1/agent /v1/checker /v1/admin/checkers
  acl nodes path_reg ^/v1/rentals/[^/]+/(logs|exec|stats)$
  use_backend nodes if nodes
  default_backend any
backend any
  balance roundrobin
  option httpchk GET /readyz
  http-request disable-l7-retry if METH_POST !{ req.hdr(idempotency-key) -m found }
${servers('inter 300 fall 1 rise 1')}
backend nodes
  option httpchk GET /readyz?duty=nodes
${servers('inter 300 fall 1 rise 1')}
`)
    it.child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    it.output = ''
    it.child.stderr.on('data', (bytes) => { it.output += bytes })
    it.ended = new Promise((resolve) => it.child.on('close', resolve))
    return it
  }

  async stop() {
    this.child.kill('SIGTERM')
    await this.ended
  }
}
