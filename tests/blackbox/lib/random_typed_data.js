// Typed data: structs of atoms, of arrays, and of structs that come after them, and a domain of some of its fields.
import { randomAtom } from './random_abi.js'

function randomField(random, later) {
  let field = later.length && random.below(3) === 0 ? random.pick(later) : randomAtom(random)
  for (let i = random.below(6) - 3; i > 0; i--) {
    const element = field
    const size = random.below(2) ? 1 + random.below(3) : null
    field = {
      type: `${element.type}[${size ?? ''}]`,
      make: () => (size ? random.list(size, size, element.make) : random.list(0, 2, element.make)),
    }
  }
  return field
}

function randomDomain(random) {
  const all = {
    name: ['string', () => random.text(20)], version: ['string', () => '1'], chainId: ['uint256', () => random.pick([1, 3338])],
    verifyingContract: ['address', () => random.address()], salt: ['bytes32', () => random.hex(32)],
  }
  const chosen = Object.entries(all).filter(() => random.below(2))
  // viem takes an empty name or version for none.
  const made = chosen.map(([name, [type, make]]) => [name, type, make() || 'x'])
  return {
    domain: Object.fromEntries(made.map(([name, , value]) => [name, value])),
    fields: made.map(([name, type]) => ({ name, type })),
  }
}

export function randomTypedData(random) {
  const structs = []
  const names = random.pick([['Mail', 'Person', 'Asset', 'Zone'], ['Z_1', 'Alpha', 'beta', 'Beta'], ['One', 'Two', 'Three', 'Four']])
  const count = 1 + random.below(names.length)
  const types = {}
  for (let i = count - 1; i >= 0; i--) {
    const fields = random.list(1, 5, () => randomField(random, structs)).map((field, k) => ({ ...field, name: `field${k}` }))
    types[names[i]] = fields.map(({ name, type }) => ({ name, type }))
    structs.push({ type: names[i], make: () => Object.fromEntries(fields.map(({ name, make }) => [name, make()])) })
  }
  const { domain, fields } = randomDomain(random)
  const primary = structs[structs.length - 1]
  return { types: { EIP712Domain: fields, ...types }, primaryType: primary.type, domain, message: primary.make() }
}
