// Repeatable randomness: SHA-256 of a seed and a counter.
import { createHash } from 'node:crypto'
import { getAddress } from 'viem'

export class Random {
  #seed
  #counter = 0
  #left = Buffer.alloc(0)

  constructor(seed) {
    this.#seed = String(seed)
  }

  bytes(n) {
    const parts = [this.#left]
    for (let have = this.#left.length; have < n; have += 32) {
      parts.push(createHash('sha256').update(`${this.#seed} ${this.#counter++}`).digest())
    }
    const all = Buffer.concat(parts)
    this.#left = all.subarray(n)
    return all.subarray(0, n)
  }

  hex(n) {
    return `0x${this.bytes(n).toString('hex')}`
  }

  // A number of exactly so many bits; 0n of none.
  bits(n) {
    if (n === 0) return 0n
    return (BigInt(this.hex(32)) & ((1n << BigInt(n)) - 1n)) | (1n << BigInt(n - 1))
  }

  below(n) {
    return this.bytes(4).readUInt32BE() % n
  }

  pick(list) {
    return list[this.below(list.length)]
  }

  list(min, max, make) {
    return Array.from({ length: min + this.below(max - min + 1) }, make)
  }

  address() {
    return getAddress(this.hex(20))
  }

  text(max) {
    return this.list(0, max, () => this.pick(['a', 'Z', '0', ' ', '"', '\\', '\n', 'é', '密', '🚀', '€'])).join('')
  }

  // An integer in the type's bounds, often at their edges.
  integer(signed, bits) {
    const low = signed ? -(1n << BigInt(bits - 1)) : 0n
    const high = (1n << BigInt(signed ? bits - 1 : bits)) - 1n
    return this.pick([low, high, 0n, 1n, low + (BigInt(this.hex(32)) % (high - low + 1n)), low + (BigInt(this.hex(32)) % (high - low + 1n))])
  }
}
