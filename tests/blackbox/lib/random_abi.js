// Types of the contract ABI, nested, and values of them.
const atoms = {
  uint: (random) => {
    const bits = 8 * (1 + random.below(32))
    return { type: `uint${bits}`, make: () => random.integer(false, bits) }
  },
  int: (random) => {
    const bits = 8 * (1 + random.below(32))
    return { type: `int${bits}`, make: () => random.integer(true, bits) }
  },
  address: (random) => ({ type: 'address', make: () => random.address() }),
  bool: (random) => ({ type: 'bool', make: () => random.below(2) === 1 }),
  fixed: (random) => {
    const size = 1 + random.below(32)
    return { type: `bytes${size}`, make: () => random.hex(size) }
  },
  bytes: (random) => ({ type: 'bytes', make: () => random.hex(random.pick([0, 1, 31, 32, 33, 64, 100])) }),
  string: (random) => ({ type: 'string', make: () => random.text(40) }),
}

export const randomAtom = (random) => atoms[random.pick(Object.keys(atoms))](random)

// {text: as abi.h has it, parameter: as viem has it, make: a value}
function randomType(random, depth) {
  const kind = depth < 4 ? random.below(10) : 0
  if (kind === 8) {
    const members = random.list(1, 4, () => randomType(random, depth + 1))
    return {
      text: `(${members.map(({ text }) => text).join(',')})`,
      parameter: { type: 'tuple', components: members.map(({ parameter }) => parameter) },
      make: () => members.map(({ make }) => make()),
    }
  }
  if (kind >= 6) {
    const element = randomType(random, depth + 1)
    const size = random.below(2) ? 1 + random.below(3) : null
    const suffix = `[${size ?? ''}]`
    return {
      text: element.text + suffix,
      parameter: { ...element.parameter, type: element.parameter.type + suffix },
      make: () => (size ? random.list(size, size, element.make) : random.list(0, 3, element.make)),
    }
  }
  const { type, make } = randomAtom(random)
  return { text: type, parameter: { type }, make }
}

export function randomAbi(random) {
  const members = random.list(1, 5, () => randomType(random, 0))
  return {
    type: `(${members.map(({ text }) => text).join(',')})`,
    parameters: members.map(({ parameter }) => parameter),
    value: members.map(({ make }) => make()),
  }
}
