// A container engine of one test's own, to be killed and brought back: deploy/podman-service in a
// network namespace, all of it in a folder of the test.
import { spawn } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { sleep, until } from './network.js'

const service = new URL('../../../deploy/podman-service', import.meta.url).pathname
const image = new URL('../../../deploy/demo-image', import.meta.url).pathname

// One call of the Docker Engine API behind @socket; the answer's JSON, or its text.
export function callEngine(socketPath, method, path) {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path: `/v1.40${path}` }, (answer) => {
      let text = ''
      answer.on('data', (bytes) => { text += bytes })
      answer.on('end', () => {
        try { resolve(text ? JSON.parse(text) : null) } catch { resolve(text) }
      })
    })
    call.on('error', reject)
    call.end()
  })
}

export class Engine {
  constructor(dir) {
    this.dir = dir
    this.socket = join(dir, 'podman.sock')
    this.output = ''
  }

  // Registries at the host's end of the link speak plain HTTP.
  async start() {
    this.service = spawn(service, ['--netns', this.dir], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CONTAINERS_REGISTRIES_CONF: `${this.dir}.registries` },
    })
    for (const stream of [this.service.stdout, this.service.stderr]) stream.on('data', (bytes) => { this.output += bytes })
    const ended = new Promise((resolve) => this.service.on('close', resolve))
    this.ended = ended
    let over = false
    ended.then(() => { over = true })
    await until('the engine to listen', async () => {
      if (over) throw new Error(`the engine ended: ${this.output}`)
      return existsSync(this.socket) && existsSync(join(this.dir, 'address')) && this.call('GET', '/_ping').then(() => true, () => false)
    }, 30000)
    this.host = (await readFile(join(this.dir, 'address'), 'utf8')).trim().replace(/\.2$/, '.1')
  }

  async allow(registry) {
    await writeFile(`${this.dir}.registries`, `[[registry]]\nlocation = "${registry}"\ninsecure = true\n`)
  }

  async demoImage() {
    const build = spawn(image, [this.socket], { stdio: 'inherit' })
    const code = await new Promise((resolve) => build.on('close', resolve))
    if (code !== 0) throw new Error('the demonstration image was not built')
  }

  call(method, path) { return callEngine(this.socket, method, path) }

  // The engine's process dies in the middle of whatever it does; its containers go on.
  async kill() {
    process.kill(Number(await readFile(join(this.dir, 'podman.pid'), 'utf8')), 'SIGKILL')
    await this.ended
  }

  // What a removal leaves that is cut in its middle: the files are gone, the entry is not. Only of an
  // engine that is down.
  async tear(container) {
    const file = join(this.dir, 'storage/overlay-containers/containers.json')
    const all = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify(all.filter((one) => one.id !== container)))
  }

  // Takes connections, and says nothing.
  async hang(signal = 'SIGSTOP') {
    process.kill(Number(await readFile(join(this.dir, 'podman.pid'), 'utf8')), signal)
  }
  async resume() { await this.hang('SIGCONT') }

  async stop() {
    this.service.kill('SIGTERM')
    await this.ended
    for (let i = 0; i < 20; i++) {
      try { return await rm(this.dir, { recursive: true, force: true }) } catch { await sleep(100) }
    }
    throw new Error(`${this.dir} could not be removed`)
  }
}
