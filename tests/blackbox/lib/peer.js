// A program of tests/peer that answers lines and says its health: killed at will, on one store whatever becomes
// of it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { bin } from './network.js'

export class Peer {
  constructor(name, args, env = {}) {
    this.health = {}
    this.problems = [] // each once it was said
    this.waiting = []
    this.child = spawn(join(dirname(bin), '../../tests/peer', name), args,
      { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
    this.child.stdin.on('error', () => {}) // it was killed
    let text = ''
    this.child.stdout.on('data', (bytes) => {
      text += bytes
      const lines = text.split('\n')
      text = lines.pop()
      for (const line of lines)
        if (line.startsWith('health ')) this.#hear(JSON.parse(line.slice(7)))
        else this.waiting.shift()?.(line)
    })
    this.closed = once(this.child, 'close').then(() => { for (const answer of this.waiting) answer(null) })
  }

  #hear(health) {
    this.health = health
    if (health.problem) this.problems.push(health.problem)
  }

  // null: it ended before it answered.
  ask(line) {
    return new Promise((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode) return resolve(null)
      this.waiting.push(resolve)
      this.child.stdin.write(`${line}\n`)
    })
  }

  async json(line) {
    const answer = await this.ask(line)
    return answer && JSON.parse(answer)
  }

  async kill(signal = 'SIGKILL') {
    this.child.kill(signal)
    await this.closed
  }
}
