// Tenants' money in the escrow contract and in the ledger: the same to the last unit, whatever becomes of the control
// plane and of the chain. On real anvil and the real contracts.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createWalletClient, http, parseEther } from 'viem'
import { Chain } from './lib/chain.js'
import { Signer, deployContracts } from './lib/deployment.js'
import { Network, sleep, until } from './lib/network.js'
import { Random } from './lib/random.js'

const abiOf = async (name) => JSON.parse(await readFile(new URL(`../../contracts/abi/${name}.json`, import.meta.url), 'utf8'))
const exitDelayS = 3
let dir, chain, signer, network, escrow, dollar, kai

before(async () => {
  dir = await mkdtemp('/tmp/kaisar-chain-')
  // Three blocks are reorganised below: they must not be final yet.
  chain = await Chain.start({ finalAfter: 4 })
  signer = await Signer.create(join(dir, 'signer'))
  const addresses = await deployContracts(chain, dir, (p) => ({
    ...p, escrow: { ...p.escrow, settler: signer.address, exit_delay_s: exitDelayS },
  }))
  await signer.serve(chain, addresses, ({ Escrow, Dollar }, usual) => ({
    return: { contract: Escrow.address, ...usual, tokens: [{ token: Dollar.address, units_per_day: '1000000000000' }] },
  }))
  const { contracts } = JSON.parse(await readFile(addresses, 'utf8'))
  escrow = { address: contracts.Escrow.address, abi: await abiOf('Escrow') }
  kai = { address: contracts.Token.address, abi: await abiOf('Token') }
  dollar = {
    address: contracts.Dollar.address,
    abi: [...kai.abi, { type: 'function', name: 'mint', stateMutability: 'nonpayable', outputs: [],
      inputs: [{ name: 'account', type: 'address' }, { name: 'amount', type: 'uint256' }] }],
  }
  network = await Network.start({ chain_again_ms: 2000, chain_refuse_ms: 2000, chain_timeout_ms: 2000 },
    ['--chain-rpc', chain.url, '--chain-addresses', addresses, '--chain-signer', signer.path])
  await network.operator.login()
})
after(async () => {
  await network?.stop()
  await signer?.stop()
  await chain?.stop()
  await rm(dir, { recursive: true, force: true })
})

// A tenant with a wallet on the chain: coins for fees, and the contract may take what they have.
async function tenant() {
  const person = network.person()
  await person.login()
  await chain.setBalance(person.address, parseEther('10'))
  person.wallet = createWalletClient({ chain: chain.public.chain, transport: http(chain.url), account: person.account })
  await write(chain.rich, dollar, 'mint', [person.address, 10n ** 15n])
  await write(person.wallet, dollar, 'approve', [escrow.address, 2n ** 256n - 1n])
  return person
}

async function write(wallet, contract, functionName, args) {
  const hash = await wallet.writeContract({ ...contract, functionName, args })
  const receipt = await chain.public.waitForTransactionReceipt({ hash })
  assert.equal(receipt.status, 'success', `${functionName} failed`)
  return hash
}

const read = (functionName, args, contract = escrow) => chain.public.readContract({ ...contract, functionName, args })
const deposit = (person, amount) => write(person.wallet, escrow, 'deposit', [dollar.address, person.address, amount])
const balance = (person) => person.get('/v1/balance')
const micro = (text) => BigInt(text.replace('.', '').padEnd(text.includes('.') ? text.indexOf('.') + 6 : text.length + 6, '0'))
const amount = (units) => `${units / 1000000n}.${(units % 1000000n).toString().padStart(6, '0')}`
const inContract = (person) => read('balance', [dollar.address, person.address])
const ended = (person, id) => until('the withdrawal to end', async () => {
  const it = await person.get(`/v1/withdrawals/${id}`)
  return it.state !== 'asked' && it
}, 60000)

test('a deposit shows at once, counts when it is final, and is withdrawn', async () => {
  const person = await tenant()
  const hash = await deposit(person, 12500001n)
  const pending = await until('the deposit to be seen', async () => (await person.get('/v1/deposits')).items[0])
  assert.equal(pending.transaction, hash)
  await until('the deposit to count', async () => (await balance(person)).available !== '0.0')
  const { items: [credited] } = await person.get('/v1/deposits')
  assert.equal(credited.state, 'credited')
  assert.equal(credited.credited, '12.500001')
  assert.equal(credited.transaction, hash)
  assert.deepEqual(await balance(person), { available: '12.500001', held: '0.0', points: '0.0', withdrawable: '12.500001', earned: '0.0', paid: '0.0', due: '0.0', collectable: '0.0' })

  // Points are spent, never withdrawn.
  await network.credit(person, '5')
  assert.equal((await balance(person)).withdrawable, '12.500001')
  await person.refused('POST', '/v1/withdrawals', { amount: '12.500002' }, 402, 'more-than-withdrawable')
  await person.refused('POST', '/v1/withdrawals', { amount: '0' }, 422, 'invalid-field', 'amount')
  const { id } = await person.post('/v1/withdrawals', { amount: '2.500001' }, 201)
  await person.refused('POST', '/v1/withdrawals', { amount: '1' }, 409, 'withdrawal-under-way')
  await network.operator.raw('GET', `/v1/withdrawals/${id}`).then(({ status }) => assert.equal(status, 404))
  const returned = await ended(person, id)
  assert.equal(returned.state, 'returned', returned.detail)
  const before = await read('balanceOf', [person.address], dollar)
  await write(person.wallet, escrow, 'withdraw', [dollar.address, person.address])
  assert.equal(await read('balanceOf', [person.address], dollar) - before, 2500001n)
  assert.equal(await inContract(person), 10000000n)
  await until('what is collected to be known', async () => (await balance(person)).collectable === '0.0', 60000)
  assert.deepEqual(await balance(person), { available: '15.0', held: '0.0', points: '5.0', withdrawable: '10.0', earned: '0.0', paid: '0.0', due: '0.0', collectable: '0.0' })
  const types = (await person.get('/v1/events')).items.map((e) => e.type)
  assert.ok(types.includes('deposit.taken') && types.includes('withdrawal.returned'))
})

test('what is not the stablecoin, or too much, is not credited and says why', async () => {
  const person = await tenant()
  await write(chain.rich, kai, 'transfer', [person.address, 10n ** 18n])
  await write(person.wallet, kai, 'approve', [escrow.address, 10n ** 18n])
  await write(person.wallet, escrow, 'deposit', [kai.address, person.address, 10n ** 18n])
  await write(chain.rich, dollar, 'mint', [person.address, 10n ** 18n])
  await deposit(person, 10n ** 15n + 1n)
  await deposit(person, 1n)
  await until('all three to be final', async () => (await person.get('/v1/deposits')).items.filter((d) => d.id).length === 3)
  // Those that became final in one millisecond are in any order.
  const items = (await person.get('/v1/deposits')).items.sort((a, b) => Number(BigInt(a.amount) - BigInt(b.amount)))
  assert.deepEqual(items.map((d) => [d.state, d.credited]), [['credited', '0.000001'], ['not_credited', '0.0'], ['not_credited', '0.0']])
  assert.match(items[1].detail, /more than a balance can hold/)
  assert.match(items[2].detail, /publishes no price for KAI.*deposit the stablecoin/)
  assert.equal((await balance(person)).available, '0.000001')
})

test('a tenant leaves without anybody: what asked to leave is not spent, and comes back if it stays', async () => {
  const person = await tenant()
  await deposit(person, 7000000n)
  await network.credit(person, '1')
  await until('the deposit to count', async () => (await balance(person)).available === '8.0')
  await write(person.wallet, escrow, 'requestExit', [dollar.address])
  await until('the ledger to know', async () => (await balance(person)).available === '1.0')
  await person.refused('POST', '/v1/withdrawals', { amount: '1' }, 402, 'more-than-withdrawable')
  await write(person.wallet, escrow, 'cancelExit', [dollar.address])
  await until('it to be back', async () => (await balance(person)).withdrawable === '7.0')
  await write(person.wallet, escrow, 'requestExit', [dollar.address])
  await sleep(1000 * (exitDelayS + 1))
  await write(person.wallet, escrow, 'exit', [dollar.address])
  await until('the ledger to know', async () => (await balance(person)).available === '1.0')
  assert.equal(await inContract(person), 0n)
  await deposit(person, 3000000n)
  await until('a new one to count', async () => (await balance(person)).withdrawable === '3.0')
})

test('deposits and withdrawals happen once: the server killed at 25 moments, the chain reorganised twice', async () => {
  const dice = new Random('escrow'), people = []
  for (let i = 0; i < 3; i++) people.push(await tenant())
  const sent = new Map(people.map((person) => [person, 0n])), withdrawals = []
  const busy = async () => {
    for (let i = 0; i < 5; i++) {
      const person = people[i % people.length], units = BigInt(1 + dice.below(5000000))
      await deposit(person, units)
      sent.set(person, sent.get(person) + units)
      const asked = await person.raw('POST', '/v1/withdrawals', { amount: amount(BigInt(1 + dice.below(2000000))) }).catch(() => null)
      if (asked?.status === 201) withdrawals.push({ person, ...asked.json })
    }
  }
  let going = true
  const killing = (async () => {
    for (let kills = 0; going || kills < 25; kills++) {
      await sleep(dice.below(800))
      await network.server.kill()
      await network.startServer()
    }
  })()
  for (let i = 0; i < 2; i++) {
    await busy()
    // Deposits of the last blocks are dropped for both, for nobody sends them again; our own call is sent again.
    await chain.call('anvil_reorg', [3, []])
  }
  going = false
  await killing
  for (const { person, id } of withdrawals) await ended(person, id)
  for (const person of people) {
    await until('ledger and contract to agree', async () =>
      micro((await balance(person)).withdrawable) === await inContract(person), 60000)
    const logs = (await person.get('/v1/deposits?limit=100')).items.filter((d) => d.state === 'credited')
    const total = logs.reduce((sum, d) => sum + BigInt(d.amount), 0n)
    assert.equal(total, await read('deposited', [dollar.address, person.address]))
    assert.ok(total <= sent.get(person))
    const back = (await person.get('/v1/withdrawals?limit=100')).items.filter((w) => w.state === 'returned')
    assert.equal(back.reduce((sum, w) => sum + micro(w.amount), 0n), await read('returned', [dollar.address, person.address]))
  }
  const ledger = await network.operator.get('/v1/admin/ledger')
  assert.equal(ledger.problem, null)
})
