// Sign-in messages as viem writes them, the policy they meet, and what must not pass for them.
import { createSiweMessage } from 'viem/siwe'

const now = Date.UTC(2026, 10, 22, 17, 6)

export function randomSignIn(random, address) {
  const domain = random.pick(['cloud.kaisar.example', 'cloud.kaisar.example:8443', 'localhost:8080'])
  const uri = `https://${domain}${random.pick(['', '/login', '/a/b?c=d#e'])}`
  const message = createSiweMessage({
    address, domain, uri, version: '1', chainId: 3338, nonce: random.hex(random.pick([4, 8, 16])).slice(2),
    issuedAt: new Date(now - random.below(200000)),
    ...(random.below(2) && { scheme: 'https' }),
    ...(random.below(2) && { statement: random.pick(['Sign in to Kaisar.', 'I accept: https://kaisar.example/terms']) }),
    ...(random.below(2) && { expirationTime: new Date(now + 1000 + random.below(600000)) }),
    ...(random.below(2) && { notBefore: new Date(now - random.below(100000)) }),
    ...(random.below(2) && { requestId: random.pick(['req-1', 'a:b@c']) }),
    ...(random.below(2) && { resources: ['https://kaisar.example/a', 'ipfs://b'] }),
  })
  return { message, policy: { domain, uri, chain_id: 3338, now_ms: now } }
}

// Changed text, signed by the account itself: only what is said in it is wrong.
const resigned = (change) => async ({ message, sign, random }) => {
  const changed = change(message, random)
  return { message: changed, signature: await sign(changed) }
}
const replaced = (from, to) => resigned((message) => message.replace(from, to))
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

export const mutations = [
  ['another domain', replaced(' wants you', '.evil.example wants you')],
  ['a domain before it', resigned((message) => message.replace(/^(https:\/\/)?/, '$1evil.example.'))],
  ['another scheme', resigned((message) => `http://${message.replace(/^https:\/\//, '')}`)],
  ['another account', replaced(/\n0x.{40}/, '\n0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266')],
  ['an address without capitals', resigned((message) => message.replace(/\n0x.{40}/, (at) => `\n0x${at.slice(3).toLowerCase()}`))],
  ['another URI', replaced(/URI: (.*)/, 'URI: $1x')],
  ['another version', replaced('Version: 1', 'Version: 2')],
  ['another chain', replaced('Chain ID: 3338', 'Chain ID: 1')],
  ['a chain with a leading zero', replaced('Chain ID: 3338', 'Chain ID: 03338')],
  ['a short nonce', replaced(/Nonce: .*/, 'Nonce: abc1234')],
  ['a nonce with a dash', replaced(/Nonce: (.*)/, 'Nonce: $1-')],
  ['no nonce', replaced(/Nonce: .*\n/, '')],
  ['fields in another order', replaced(/(Version: 1)\n(Chain ID: 3338)/, '$2\n$1')],
  ['a field twice', replaced('Version: 1\n', 'Version: 1\nVersion: 1\n')],
  ['issued long ago', replaced(/Issued At: .*/, 'Issued At: 2026-11-22T16:05:53.250Z')],
  ['issued in the future', replaced(/Issued At: .*/, 'Issued At: 2026-11-22T18:05:53.250Z')],
  ['expired', resigned((message) => message.replace(/\nExpiration Time: .*/, '').replace(/(Issued At: .*)/, '$1\nExpiration Time: 2026-11-22T17:05:59.999Z'))],
  ['not valid yet', resigned((message) => message.replace(/\nNot Before: .*/, '')
    .replace(/(Issued At: .*(\nExpiration Time: .*)?)/, '$1\nNot Before: 2026-11-22T17:06:00.001Z'))],
  ['a carriage return', replaced('\n', '\r\n')],
  ['an empty line more', replaced('\n\n', '\n\n\n\n')],
  ['a line more at the end', resigned((message) => `${message}\n`)],
  ['something after the end', resigned((message) => `${message}\nAdmin: yes`)],
  ['a letter of the text, and the signature of the other', ({ message, signature }) => ({ message: message.replace('Nonce: ', 'Nonce: 0'), signature })],
  ['a bit of the signature', ({ message, signature, random }) => {
    const bytes = Buffer.from(signature.slice(2), 'hex')
    bytes[random.below(64)] ^= 1 << random.below(8)
    return { message, signature: `0x${bytes.toString('hex')}` }
  }],
  ['the other parity', ({ message, signature }) => ({ message, signature: signature.slice(0, 130) + (signature.endsWith('1b') ? '1c' : '1b') })],
  ['a v that is none', ({ message, signature }) => ({ message, signature: `${signature.slice(0, 130)}1d` })],
  ['the twin with a high s', ({ message, signature }) => {
    const s = (order - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0')
    return { message, signature: signature.slice(0, 66) + s + (signature.endsWith('1b') ? '1c' : '1b') }
  }],
  ['a signature of 64 bytes', ({ message, signature }) => ({ message, signature: signature.slice(0, 130) })],
]
