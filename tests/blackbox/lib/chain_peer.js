// The chain's encoders as a process (tests/peer/chain_peer.c): a question and an answer a line.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { bin } from './network.js'

export class ChainPeer {
  #waiting = []

  constructor() {
    this.child = spawn(join(dirname(bin), '../../tests/peer/chain_peer'), { stdio: ['pipe', 'pipe', 'inherit'] })
    this.ended = once(this.child, 'close')
    this.child.stdin.on('error', () => {})
    createInterface({ input: this.child.stdout }).on('line', (line) => this.#waiting.shift().resolve(JSON.parse(line)))
    this.child.on('close', () => this.#waiting.forEach(({ reject }) => reject(new Error('the peer has ended'))))
  }

  ask(question) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.child.stdin.write(`${JSON.stringify(question)}\n`)
    })
  }

  async close() {
    this.child.stdin.end()
    const [code] = await this.ended
    if (code !== 0) throw new Error(`the peer ended with ${code}`)
  }
}
