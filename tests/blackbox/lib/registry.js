// A container registry of one image, which can be slow: its layer comes in pieces, and only
// trickles until the test lets it go.
import { createHash, randomBytes } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { sleep } from './network.js'

const digest = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

function tarEntry(name, bytes, { mode = 0o755, type = '0', link = '' } = {}) {
  const head = Buffer.alloc(512)
  const number = (value, length) => value.toString(8).padStart(length - 1, '0') + '\0'

  head.write(name, 0)
  head.write(number(mode, 8) + number(0, 8) + number(0, 8) + number(bytes.length, 12) + number(0, 12) + '        ' + type + link, 100)
  head.write('ustar\x0000', 257)
  head.write(number(head.reduce((sum, byte) => sum + byte, 0), 7) + ' ', 148)
  return Buffer.concat([head, bytes, Buffer.alloc((512 - bytes.length % 512) % 512)])
}

// A shell, and bytes that do not get smaller on the way.
function layer() {
  const busybox = readFileSync(execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim())
  const applets = ['sh', 'sleep', 'echo', 'true']

  return Buffer.concat([tarEntry('bin/busybox', busybox),
    ...applets.map((name) => tarEntry(`bin/${name}`, Buffer.alloc(0), { type: '2', link: 'busybox' })),
    tarEntry('ballast', randomBytes(4 << 20)), Buffer.alloc(1024)])
}

export class Registry {
  static async start() {
    const registry = new Registry()
    registry.open = true
    registry.asked = 0
    registry.server = createServer((call, answer) => registry.answer(call, answer).catch(() => answer.destroy()))
    registry.server.listen(0, '0.0.0.0')
    await once(registry.server, 'listening')
    registry.port = registry.server.address().port
    registry.renew()
    return registry
  }

  // Another image: nothing of it is on any machine.
  renew() {
    const bytes = layer()
    const config = Buffer.from(JSON.stringify({
      architecture: 'amd64', os: 'linux', config: { Cmd: ['/bin/sh', '-c', 'echo pulled; sleep 600'], Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [digest(bytes)] },
    }))
    const manifest = Buffer.from(JSON.stringify({
      schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest(config), size: config.length },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digest(bytes), size: bytes.length }],
    }))
    this.manifest = manifest
    this.layer = bytes
    this.blobs = new Map([[digest(bytes), bytes], [digest(config), config]])
  }

  async answer(call, answer) {
    const [, what, which] = /^\/v2\/present\/(manifests|blobs)\/(.+)$/.exec(call.url) ?? []
    const bytes = what === 'manifests' ? this.manifest : this.blobs.get(which)

    if (call.url === '/v2/') return answer.end('{}')
    if (!bytes) {
      answer.writeHead(404, { 'content-type': 'application/json' })
      return answer.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
    }
    answer.writeHead(200, {
      'content-type': what === 'manifests' ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream',
      'content-length': bytes.length, 'docker-content-digest': digest(bytes),
    })
    if (call.method === 'HEAD') return answer.end()
    if (bytes !== this.layer) return answer.end(bytes)
    return this.slowly(bytes, answer)
  }

  async slowly(bytes, answer) {
    const half = bytes.length >> 1

    this.asked++
    for (let at = 0; at < half; at += 65536) {
      if (!this.open) await sleep(5)
      answer.write(bytes.subarray(at, Math.min(at + 65536, half)))
    }
    // Then it only trickles, for Podman tells of progress when something comes.
    let at = half
    for (; !this.open && !answer.destroyed && at < bytes.length - 4096; at += 4096) {
      answer.write(bytes.subarray(at, at + 4096))
      await sleep(50)
    }
    answer.end(bytes.subarray(at))
  }

  async stop() {
    this.open = true
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }
}
