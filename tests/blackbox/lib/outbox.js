// The outbox as a process (tests/peer/outbox_peer.c).
import { encodeFunctionData, keccak256, toHex } from 'viem'
import { Peer } from './peer.js'

export class OutboxPeer extends Peer {
  // key: 64 digits, or "signer:SOCKET".
  constructor(store, key, urls, { agree = 1, env = {} } = {}) {
    super('outbox_peer', [store, key, String(agree), ...urls], env)
  }

  // A call's kind is its name up to the first "/".
  anchor(contract, sequence, name = `anchor/${sequence}`) {
    const data = encodeFunctionData({
      abi: contract.abi, functionName: 'anchor',
      args: [BigInt(sequence), 0, keccak256(toHex(sequence)), 1, keccak256('0x')],
    })
    return this.ask(`add ${name} ${contract.address} ${data.slice(2)}`)
  }

  show(name) {
    return this.json(`show ${name}`)
  }

  counts() {
    return this.json('count')
  }
}
