// What src/chain writes and reads, against viem byte for byte; keystores exchanged with ethers and ethereumjs; Merkle
// trees against OpenZeppelin's. All from one seed, which is printed: KAISAR_TEST_SEED repeats a run.
import assert from 'node:assert/strict'
import { scrypt as nativeScrypt } from 'node:crypto'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { StandardMerkleTree } from '@openzeppelin/merkle-tree'
import { Wallet } from '@ethereumjs/wallet'
import { decryptKeystoreJson, encryptKeystoreJson, scrypt } from 'ethers'
import { decodeAbiParameters, encodeAbiParameters, hashTypedData, keccak256 } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { ChainPeer } from './lib/chain_peer.js'
import { Random } from './lib/random.js'
import { randomAbi } from './lib/random_abi.js'
import { randomTypedData } from './lib/random_typed_data.js'
import { mutations, randomSignIn } from './lib/random_sign_in.js'

const seed = Number(process.env.KAISAR_TEST_SEED ?? Date.now() % 1e9)
let peer

before(() => {
  console.log(`# KAISAR_TEST_SEED=${seed}`)
  peer = new ChainPeer()
  // In JavaScript the standard cost takes ten seconds a key. ethereumjs computes its own.
  scrypt.register((password, salt, N, r, p, length) => promisify(nativeScrypt)(password, salt, length, { N, r, p, maxmem: 256 * N * r }))
})
after(() => peer.close())

const secretOf = (random) => random.hex(32)

// Numbers as decimal text, whatever viem made of them.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain)
  return typeof value === 'bigint' || typeof value === 'number' ? String(value) : value
}

const accessLists = (random) => {
  const entry = () => ({ address: random.address(), storageKeys: random.list(0, 3, () => random.hex(32)) })
  return random.below(2) ? [] : random.list(1, 3, entry)
}

function randomTransaction(random, type) {
  const legacy = type === 'legacy'
  const maxFee = random.bits(random.pick([0, 8, 40, 64, 128, 256]))
  const tip = maxFee === 0n ? 0n : random.bits(256) % (maxFee + 1n)
  const common = {
    type, chainId: random.pick([1, 3338, 9990, 2 ** 31, Number.MAX_SAFE_INTEGER]), nonce: Number(random.bits(random.pick([0, 7, 8, 20, 48]))),
    gas: random.bits(random.pick([0, 15, 21, 32])), value: random.bits(random.pick([0, 7, 60, 256])),
    data: random.hex(random.pick([0, 1, 4, 55, 56, 68, 255, 256, 1000])), to: random.below(8) ? random.address() : undefined,
  }
  return legacy ? { ...common, gasPrice: maxFee } : { ...common, maxFeePerGas: maxFee, maxPriorityFeePerGas: tip, accessList: accessLists(random) }
}

const ours = (t) => ({
  kind: t.type === 'legacy' ? '0' : '2', chain_id: String(t.chainId), nonce: String(t.nonce), max_fee: String(t.gasPrice ?? t.maxFeePerGas),
  max_priority_fee: String(t.maxPriorityFeePerGas ?? 0n), gas_limit: String(t.gas), value: String(t.value), data: t.data, ...(t.to && { to: t.to }),
  access: (t.accessList ?? []).map(({ address, storageKeys }) => [address, storageKeys]),
})

for (const [type, count] of [['eip1559', 1000], ['legacy', 200]]) {
  test(`${count} transactions of type ${type} are signed and read as viem does`, async () => {
    const random = new Random(`${seed} ${type}`)
    await Promise.all(Array.from({ length: count }, async () => {
      const secret = secretOf(random)
      const account = privateKeyToAccount(secret)
      const transaction = randomTransaction(random, type)
      const expected = await account.signTransaction(transaction)
      const signed = await peer.ask({ do: 'sign_transaction', secret, transaction: ours(transaction) })
      assert.deepEqual(signed, { bytes: expected, hash: keccak256(expected) })
      const read = await peer.ask({ do: 'resign_transaction', secret, bytes: expected })
      assert.deepEqual(read, { bytes: expected, hash: keccak256(expected), sender: account.address })
    }))
  })
}

test('1,000 ABI values of nested types are written and read as viem does', async () => {
  const random = new Random(`${seed} abi`)
  await Promise.all(Array.from({ length: 1000 }, async () => {
    const { type, parameters, value } = randomAbi(random)
    const expected = encodeAbiParameters(parameters, value)
    assert.deepEqual(await peer.ask({ do: 'abi_encode', type, value: plain(value) }), { bytes: expected }, type)
    assert.deepEqual(await peer.ask({ do: 'abi_decode', type, bytes: expected }), { value: plain(value) }, type)
    assert.deepEqual(plain(decodeAbiParameters(parameters, expected)), plain(value), type)
  }))
})

test('1,000 typed-data digests and signatures are viem\'s', async () => {
  const random = new Random(`${seed} typed`)
  await Promise.all(Array.from({ length: 1000 }, async () => {
    const secret = secretOf(random)
    const typed = randomTypedData(random)
    const json = JSON.stringify(typed, (key, value) => (typeof value === 'bigint' ? String(value) : value))
    assert.deepEqual(await peer.ask({ do: 'sign_typed_data', secret, json }), {
      digest: hashTypedData(typed), signature: await privateKeyToAccount(secret).signTypedData(typed),
    }, json)
  }))
})

test('sign-in messages of viem are accepted, and 20 mutations of each refused', async () => {
  const random = new Random(`${seed} sign-in`)
  assert.ok(mutations.length >= 20)
  for (let i = 0; i < 40; i++) {
    const account = privateKeyToAccount(secretOf(random))
    const { message, policy } = randomSignIn(random, account.address)
    const signature = await account.signMessage({ message })
    const ask = (changed) => peer.ask({ do: 'sign_in', ...policy, ...changed })
    assert.deepEqual(await ask({ message, signature }), { account: account.address }, message)
    for (const [name, mutate] of mutations) {
      const changed = await mutate({ message, signature, sign: (text) => account.signMessage({ message: text }), random })
      assert.ok(changed.message !== message || changed.signature !== signature, name)
      assert.ok((await ask(changed)).refused, `${name}: ${changed.message}`)
    }
  }
})

// Each of ours is opened by both others, each of theirs by us.
const others = {
  ethers: {
    encrypt: (secret, password, n) => encryptKeystoreJson(
      { address: privateKeyToAccount(secret).address, privateKey: secret }, password, { scrypt: { N: n, r: 8, p: 1 } }),
    decrypt: async (json, password) => (await decryptKeystoreJson(json, password)).privateKey,
  },
  ethereumjs: {
    encrypt: async (secret, password, n) => JSON.stringify(
      await Wallet.fromPrivateKey(Buffer.from(secret.slice(2), 'hex')).toV3(password, { kdf: 'scrypt', n, r: 8, p: 1 })),
    decrypt: async (json, password) => (await Wallet.fromV3(json, password)).getPrivateKeyString(),
  },
}

async function exchange(other, secret, password, n) {
  const made = await other.encrypt(secret, password, n)
  assert.deepEqual(await peer.ask({ do: 'keystore_decrypt', json: made, password }), { secret })
  if (n < 262144) {
    const wrong = await peer.ask({ do: 'keystore_decrypt', json: made, password: `${password} ` })
    assert.equal(wrong.refused, 'the password is wrong')
  }
  const { json } = await peer.ask({ do: 'keystore_encrypt', secret, password, n })
  assert.equal(await other.decrypt(json, password), secret)
}

for (const [name, other] of Object.entries(others)) {
  test(`keystores are exchanged both ways with ${name}`, async () => {
    const random = new Random(`${seed} ${name}`)
    for (const password of ['geheim', 'пароль 密码', ' '.repeat(200)]) {
      for (const n of [1024, 8192]) await exchange(other, secretOf(random), password, n)
    }
  })
}

test('keystores of the standard cost are exchanged both ways', async () => {
  await exchange(others.ethers, secretOf(new Random(`${seed} cost`)), 'geheim', 262144)
})

test('keystores by pbkdf2 are opened', async () => {
  const secret = secretOf(new Random(`${seed} pbkdf2`))
  const wallet = Wallet.fromPrivateKey(Buffer.from(secret.slice(2), 'hex'))
  const json = JSON.stringify(await wallet.toV3('geheim', { kdf: 'pbkdf2', c: 1000 }))
  assert.deepEqual(await peer.ask({ do: 'keystore_decrypt', json, password: 'geheim' }), { secret })
})

test('Merkle trees and all their proofs are OpenZeppelin\'s', async () => {
  const random = new Random(`${seed} merkle`)
  for (const n of [1, 2, 3, 5, 8, 31, 33, 64, 65, 200, 500]) {
    const values = Array.from({ length: n }, () => [3338n, random.address(), random.bits(96), random.text(40)].map(plain))
    const tree = StandardMerkleTree.of(values, ['uint256', 'address', 'uint256', 'string'])
    const proofs = values.map((_, i) => tree.getProof(i))
    assert.deepEqual(await peer.ask({ do: 'merkle', type: '(uint256,address,uint256,string)', values }), { root: tree.root, proofs })
  }
})
