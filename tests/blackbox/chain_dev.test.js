// The chain that ./dev up starts (deploy/chain): what was final is there again after its node was killed, so that the
// network, which relies on that, goes on.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdtemp, readFile, rm, stat, truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createPublicClient, http } from 'viem'
import { Program, freePort, sleep, until } from './lib/network.js'
import { Random } from './lib/random.js'

const script = join(dirname(fileURLToPath(import.meta.url)), '../../deploy/chain')
let dir, port, program, node

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-chain-')
  port = await freePort()
  node = createPublicClient({ transport: http(`http://127.0.0.1:${port}`, { retryCount: 0 }) })
})
after(async () => {
  await program?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function start() {
  program = new Program('chain', ['--dir', dir, '--port', String(port)], {}, script)
  await until('the chain', () => node.getChainId().catch(() => null), 60000)
}

const final = () => node.getBlock({ blockTag: 'finalized' })

async function nodeId() {
  const { pid } = program.child
  for (const child of (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean)) {
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '') // others of it come and go
    if (command.includes('anvil')) return Number(child)
  }
  throw new Error('no anvil runs')
}

// The node alone, as somebody would who means it.
async function killNode() {
  process.kill(await nodeId(), 'SIGKILL')
  const end = await program.ended
  assert.equal(end.code, 137, program.output)
}

// All at once, in the middle of writing: half of it is left, and nobody to look after it.
async function killAll(dice) {
  const id = await nodeId(), state = join(dir, 'state.json')
  program.child.kill('SIGSTOP')
  process.kill(id, 'SIGKILL')
  await program.kill()
  await truncate(state, dice.below((await stat(state)).size))
}

test('its node is killed at any moment: what was final stays, and blocks follow', async () => {
  const dice = new Random('chain dev')
  await start()
  await until('a block to be final', async () => (await final()).number >= 1n, 60000)
  for (let i = 0; i < 3; i++) {
    await sleep(2000 + dice.below(3000))
    const was = await final()
    await (i % 2 ? killAll(dice) : killNode())
    await start()
    assert.equal((await node.getBlock({ blockNumber: was.number })).hash, was.hash, `block ${was.number} was final`)
    await until('later blocks to be final', async () => (await final()).number > was.number, 60000)
  }
})
