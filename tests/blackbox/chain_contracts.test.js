// What src/chain writes to the network's contracts and reads of what they say is what viem does by their ABI.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { encodeAbiParameters, encodeFunctionData, getAddress, keccak256, toEventSelector } from 'viem'
import { ChainPeer } from './lib/chain_peer.js'
import { Random } from './lib/random.js'

const seed = Number(process.env.KAISAR_TEST_SEED ?? Date.now() % 1e9)
const abiOf = (name) => JSON.parse(readFileSync(new URL(`../../contracts/abi/${name}.json`, import.meta.url), 'utf8'))
let peer

before(() => {
  console.log(`# KAISAR_TEST_SEED=${seed}`)
  peer = new ChainPeer()
})
after(() => peer.close())

// Numbers as decimal text, addresses by EIP-55.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'bigint' || typeof value === 'number') return String(value)
  if (value && typeof value === 'object') return Object.values(value).map(plain)
  return typeof value === 'string' && value.length === 42 ? getAddress(value) : value
}

function randomValue(random, { type, components, internalType }) {
  if (type.endsWith('[]')) return random.list(1, 5, () => randomValue(random, { type: type.slice(0, -2), components }))
  if (type === 'tuple') return Object.fromEntries(components.map((it) => [it.name, randomValue(random, it)]))
  if (type === 'address') return random.address()
  if (type === 'bool') return random.below(2) === 1
  if (type === 'bytes32') return random.hex(32)
  if (internalType?.startsWith('enum')) return random.below(2)
  const bits = Number(type.slice(4))
  const number = random.bits(random.pick([0, 8, bits - 1, bits]))
  return bits <= 48 ? Number(number) : number
}

// What nobody here needs to know.
const leftOut = new Set([
  'RolesChanged', 'FeeChanged', 'Defunded', 'Granted', 'Released', 'RoundSet', 'OwnershipTransferred', 'EIP712DomainChanged', 'Approval', 'ApprovalForAll',
])

test('events', async () => {
  const random = new Random(`${seed} events`)
  for (const name of ['Anchor', 'Escrow', 'Registry', 'Licence', 'Sale', 'Distributor']) {
    for (const item of abiOf(name).filter((it) => it.type === 'event' && !leftOut.has(it.name))) {
      for (let i = 0; i < 20; i++) {
        const args = Object.fromEntries(item.inputs.map((it) => [it.name, randomValue(random, it)]))
        const words = (inputs) => encodeAbiParameters(inputs, inputs.map((it) => args[it.name]))
        const log = {
          do: 'contract_event', event: item.name,
          topics: [toEventSelector(item), ...item.inputs.filter((it) => it.indexed).map((it) => words([it]))],
          data: words(item.inputs.filter((it) => !it.indexed)),
        }
        // ERC-721's arguments have other names in the ABI.
        const expected = Object.fromEntries(Object.entries(args).map(([key, value]) =>
          [item.name === 'Transfer' && key === 'tokenId' ? 'id' : key, plain(value)]))
        assert.deepEqual(await peer.ask(log), { args: expected }, item.name)
        assert.deepEqual(await peer.ask({ ...log, data: `${log.data}00` }), { refused: 'malformed' })
        assert.deepEqual(await peer.ask({ ...log, topics: [random.hex(32), ...log.topics.slice(1)] }), { refused: 'other' })
      }
    }
  }
})

test('calls', async () => {
  const random = new Random(`${seed} calls`)
  const calls = [
    ['Anchor', 'anchor'], ['Anchor', 'latest'], ['Escrow', 'settle'], ['Escrow', 'giveBack'], ['Distributor', 'propose'], ['Distributor', 'activate'],
  ]
  for (const [contract, functionName] of calls) {
    const abi = abiOf(contract).filter((it) => it.name === functionName)
    for (let i = 0; i < 50; i++) {
      const args = abi[0].inputs.map((it) => randomValue(random, it))
      assert.deepEqual(
        await peer.ask({ do: 'contract_call', function: functionName, args: plain(args) }),
        { bytes: encodeFunctionData({ abi, functionName, args }) }, functionName)
    }
  }
})

test('the head after a root', async () => {
  const random = new Random(`${seed} heads`)
  const types = ['bytes32', 'uint64', 'uint8', 'bytes32', 'uint32', 'bytes32'].map((type) => ({ type }))
  for (let i = 0; i < 50; i++) {
    const [head, sequence, kind, root, leaves, content] =
      [random.hex(32), random.bits(64), random.below(4), random.hex(32), Number(random.bits(32)), random.hex(32)]
    assert.deepEqual(
      await peer.ask({ do: 'anchor_head', args: plain([sequence, kind, root, leaves, content, head]) }),
      { head: keccak256(encodeAbiParameters(types, [head, sequence, kind, root, leaves, content])) })
  }
})
