// What the benches share.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted.length % 2 ? sorted[(sorted.length - 1) / 2] : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2
}

// Runs a program to its end and gives its standard output; anything but success is an error.
export async function run(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let out = '', err = ''
  child.stdout.on('data', (bytes) => { out += bytes })
  child.stderr.on('data', (bytes) => { err += bytes })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${err}`)
  return out
}
