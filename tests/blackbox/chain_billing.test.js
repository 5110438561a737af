// Tenants' money in the escrow contract and in the ledger: the same to the last unit, whatever becomes of the control
// plane and of the chain. On real anvil and the real contracts.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { encodeFunctionData } from 'viem'
import { Escrow } from './lib/escrow.js'
import { sleep, until } from './lib/network.js'
import { Random } from './lib/random.js'

const exitDelayS = 3
let stage, chain, signer, network, escrow, dollar, kai, read, write, deposit, tenant

before(async () => {
  stage = await Escrow.start({
    finalAfter: 4, // three blocks are reorganised below: they must not be final yet
    terms: () => ({ exit_delay_s: exitDelayS }),
    settings: { withdrawal_least_micro: 1, withdrawals_a_day: 1000 },
  });
  ({ chain, signer, network, contract: escrow, dollar, kai, read, write, deposit, person: tenant } = stage)
})
after(() => stage?.stop())

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
  assert.deepEqual(await balance(person), { available: '12.500001', held: '0.0', points: '0.0', withdrawable: '12.500001', leaves_at: null, earned: '0.0', paid: '0.0', due: '0.0', collectable: '0.0' })

  // Points are spent, never withdrawn.
  await network.credit(person, '5')
  assert.equal((await balance(person)).withdrawable, '12.500001')
  await person.refused('POST', '/v1/withdrawals', { amount: '12.500002' }, 402, 'more-than-withdrawable')
  // More than the signer would ever sign: it would hold up everybody's.
  const { rule } = await person.refused('POST', '/v1/withdrawals', { amount: '50000.000001' }, 422, 'invalid-field', 'amount')
  assert.match(rule, /at most 50000.0: withdraw the rest with another/)
  await person.refused('POST', '/v1/withdrawals', { amount: '0' }, 422, 'invalid-field', 'amount')
  const { id } = await person.post('/v1/withdrawals', { amount: '2.500001' }, 201)
  const deeds = (await person.get('/v1/audit?limit=100')).items.filter((e) => e.action === 'withdrawal.asked')
  assert.deepEqual(deeds.map((e) => [e.subject, e.actor, e.detail]), [[id, `account ${person.address}`, '{"amount":"2.500001"}']])
  await person.refused('POST', '/v1/withdrawals', { amount: '1' }, 409, 'withdrawal-under-way')
  await network.operator.raw('GET', `/v1/withdrawals/${id}`).then(({ status }) => assert.equal(status, 404))
  const returned = await ended(person, id)
  assert.equal(returned.state, 'returned', returned.detail)
  const before = await read('balanceOf', [person.address], dollar)
  await write(person.wallet, escrow, 'withdraw', [dollar.address, person.address])
  assert.equal(await read('balanceOf', [person.address], dollar) - before, 2500001n)
  assert.equal(await inContract(person), 10000000n)
  await until('what is collected to be known', async () => (await balance(person)).collectable === '0.0', 60000)
  assert.deepEqual(await balance(person), { available: '15.0', held: '0.0', points: '5.0', withdrawable: '10.0', leaves_at: null, earned: '0.0', paid: '0.0', due: '0.0', collectable: '0.0' })
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

test('a tenant leaves without anybody: from the request on it withdraws nothing, until it stays', async () => {
  const person = await tenant()
  await deposit(person, 7000000n)
  await network.credit(person, '1')
  await until('the deposit to count', async () => (await balance(person)).available === '8.0')
  await write(person.wallet, escrow, 'requestExit', [dollar.address])
  await until('the ledger to know', async () => (await balance(person)).leaves_at)
  const { available, withdrawable, leaves_at: leaves } = await balance(person)
  assert.deepEqual([available, withdrawable], ['8.0', '0.0'])
  assert.equal(BigInt(Date.parse(leaves)) / 1000n, await read('exitAt', [dollar.address, person.address]))
  await person.refused('POST', '/v1/withdrawals', { amount: '1' }, 409, 'leaving-the-escrow')
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

test('what the contract gave back unasked comes off the balance, and no withdrawal waits for ever behind it', async () => {
  const person = await tenant()
  await deposit(person, 8000000n)
  await until('the deposit to count', async () => (await balance(person)).withdrawable === '8.0')
  const data = encodeFunctionData({ ...escrow, functionName: 'giveBack', args: [dollar.address, person.address, 5000000n] })
  // In a block, which is not final before the network asks for less.
  await chain.call('evm_setIntervalMining', [0])
  await stage.callAs(signer.address, data, 'giveBack')
  const { id } = await person.post('/v1/withdrawals', { amount: '1' }, 201)
  await chain.call('evm_setIntervalMining', [1])
  // Its own call says less than the contract has given back in all, and so does nothing.
  const own = await until('it to end', async () => {
    const withdrawal = await person.get(`/v1/withdrawals/${id}`)
    return withdrawal.state !== 'asked' && withdrawal
  }, 60000)
  assert.deepEqual([own.state, own.detail], ['failed', 'the contract had given back as much before'])
  const { items } = await person.get('/v1/withdrawals')
  assert.deepEqual(items.filter((w) => w.id !== id).map((w) => [w.state, w.amount]), [['returned', '5.0']])
  assert.equal((await balance(person)).withdrawable, '3.0')
  assert.equal(await inContract(person), 3000000n)
  // The next goes on from the contract's sum.
  const next = await person.post('/v1/withdrawals', { amount: '1' }, 201)
  await until('it to be returned', async () => (await person.get(`/v1/withdrawals/${next.id}`)).state === 'returned', 60000)
  assert.equal(await inContract(person), 2000000n)
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
