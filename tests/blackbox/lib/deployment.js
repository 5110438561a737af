// The network's contracts on a chain of one test, deployed as a person does, and the process that holds the key.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromRlp, hexToString, parseEther, parseTransaction, toHex, toRlp } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const deploy = join(dirname(fileURLToPath(import.meta.url)), '../../../contracts/deploy')
const deployer = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'

// Gives the addresses file's path.
export async function deployContracts(chain, dir, change = (parameters) => parameters) {
  const parameters = join(dir, 'parameters.json'), addresses = join(dir, 'addresses.json')
  await writeFile(parameters, JSON.stringify(change(JSON.parse(await readFile(join(deploy, 'parameters.local.json'), 'utf8')))))
  await chain.call('evm_setAutomine', [true])
  const child = spawn(join(deploy, 'deploy.js'), ['--rpc', chain.url, '--parameters', parameters, '--addresses', addresses],
    { env: { ...process.env, KAISAR_DEPLOYER_KEY: deployer }, stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`deploy.js ended with ${code}`)
  await chain.call('evm_setIntervalMining', [1])
  return addresses
}

// Signs whatever it is asked to (src/chain/signer_wire.h), with a key that has coins.
export class Signer {
  static async start(chain, path, key = generatePrivateKey()) {
    const signer = new Signer()
    signer.path = path
    signer.account = privateKeyToAccount(key)
    signer.key = key
    signer.signed = 0
    await chain.setBalance(signer.account.address, parseEther('10'))
    await signer.listen()
    return signer
  }

  async listen() {
    this.server = createServer((socket) => {
      let bytes = Buffer.alloc(0)
      socket.on('error', () => {})
      socket.on('data', async (more) => {
        bytes = Buffer.concat([bytes, more])
        if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt32BE()) return
        const body = Buffer.from(toRlp(['0x01', '0x', await this.answer(fromRlp(toHex(bytes.subarray(4))))]).slice(2), 'hex')
        const length = Buffer.alloc(4)
        length.writeUInt32BE(body.length)
        socket.end(Buffer.concat([length, body]))
      })
    })
    this.server.listen(this.path)
    await once(this.server, 'listening')
  }

  async answer([, op, kind, transaction]) {
    if (hexToString(op) === 'address') return this.account.address
    if (hexToString(op) === 'status') return toHex('{}')
    this.signed++
    this.kind = hexToString(kind)
    return this.account.signTransaction(parseTransaction(transaction))
  }

  async stop() {
    this.server.close()
    await once(this.server, 'close')
  }
}

