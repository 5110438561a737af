// What limits keep back: providers are paid in parts, within what a call and a day may move, and the rest waits where
// people see it; KAI becomes points within the day's and what the network's own deposit covers, and nobody's holds up
// another's, nor does who withdraws in crumbs. Who asks to leave is stopped, and leaves with what it did not spend. On real anvil, the real contracts, and a
// machine that runs containers.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { encodeFunctionData, parseEther } from 'viem'
import { micro } from './lib/bill.js'
import { Escrow } from './lib/escrow.js'
import { demoImage, until } from './lib/network.js'

const longMs = 90000, dayLimit = 300_000n, callLimit = 100_000n, exitDelayS = 3 * 3600
let stage, chain, network, escrow, dollar, kai, worker, large, leaver, unspent
let read, write, deposit, problem

before(async () => {
  const limits = { stablecoin: String(dayLimit), kai: String(5n * 10n ** 18n) }
  stage = await Escrow.start({
    terms: ({ tokens }) => ({ exit_delay_s: exitDelayS, tokens: tokens.map((it) => ({ ...it, daily_limit: limits[it.token] })) }),
    settings: {
      chain_alarm_ms: 0, settle_after_ms: 2000, settle_every_ms: 1000, settle_least_micro: 1, charge_every_ms: 500,
      settle_most_micro: Number(callLimit), kai_day_micro: 2_000_000, withdrawals_a_day: 2,
    },
    options: ['--chain-kai-price', '0.3'],
  });
  ({ chain, network, contract: escrow, dollar, kai, read, write, deposit, problem } = stage)
  worker = await network.worker({ coreHour: '1000' })
})
after(() => stage?.stop())

// As the contract's owner, the timelock, when its delay is over.
async function setLimit(token, limit) {
  const owner = await read('owner', [])
  await chain.setBalance(owner, parseEther('1'))
  const data = encodeFunctionData({ ...escrow, functionName: 'setTerms', args: [token.address, true, limit] })
  await stage.callAs(owner, data, 'setTerms')
}

const balance = (person) => person.get('/v1/balance')
const says = (words) => until(`operators to hear ${words}`, async () => words.test(await problem()), longMs)
const person = () => stage.person({ dollars: 10n ** 9n, tokens: 10n ** 20n })
const state = async (who) => (await who.get('/v1/deposits')).items[0]?.state
const reaches = (who, wanted) => until(`a deposit to be ${wanted}`, async () => await state(who) === wanted, longMs)

test('nobody uses up the signer\'s returns: a withdrawal is worth its call, and an account asks for so many a day', async () => {
  const it = await person(), other = await person()
  await deposit(it, 2_600_000n, dollar)
  await deposit(other, 400_000n, dollar)
  const withdraw = async (who, amount) => {
    const { id } = await who.post('/v1/withdrawals', { amount }, 201)
    await until('it to be returned', async () => (await who.get(`/v1/withdrawals/${id}`)).state === 'returned', longMs)
  }
  await reaches(it, 'credited')
  const { rule } = await it.refused('POST', '/v1/withdrawals', { amount: '0.999999' }, 422, 'invalid-field', 'amount')
  assert.match(rule, /at least 1.0, or all that is left/)
  await withdraw(it, '1')
  await withdraw(it, '1.2')
  await it.refused('POST', '/v1/withdrawals', { amount: '0.4' }, 409, 'withdrawals-of-a-day')
  assert.equal((await balance(it)).withdrawable, '0.4')
  await reaches(other, 'credited')
  await other.refused('POST', '/v1/withdrawals', { amount: '0.399999' }, 422, 'invalid-field', 'amount')
  await withdraw(other, '0.4')
})

test('a provider is paid in parts: no call above what one may say, no day above the contract\'s', async () => {
  const { provider } = worker, it = await person()
  await deposit(it, 5_000_000n, dollar)
  await reaches(it, 'credited')
  const { id } = await it.post('/v1/rentals', { image: demoImage, cpu_milli: 300, memory: '32MiB', disk: '256MiB', stop_timeout_s: 1 }, 201)
  await until('it to be charged', async () => micro((await it.get(`/v1/rentals/${id}`)).charged) > 500_000n, longMs)
  await it.post(`/v1/rentals/${id}/stop`, {})
  const settled = () => read('settled', [dollar.address, it.address, provider.address])
  await until('a day\'s limit to be paid', async () => (await settled())[0] === dayLimit, longMs)
  await says(/of what providers are due waits.*daily limit.*settle_most_micro/)
  const { earned, due } = await balance(provider)
  assert.ok(micro(due) > 0n && micro(due) < micro(earned))
  assert.equal((await settled())[0], dayLimit)

  await setLimit(dollar, 10n ** 12n)
  await until('all to be paid', async () => {
    const now = await balance(provider)
    return micro(now.earned) > 0n && now.due === '0.0'
  }, longMs)
  await until('all to be well', async () => await problem() === null, longMs)
  const { items: [{ charged, fee }] } = await provider.get('/v1/earnings')
  assert.deepEqual(await settled(), [micro(charged), micro(fee)])
  const calls = await chain.public.getContractEvents({ ...escrow, eventName: 'Charged', fromBlock: 0n })
  assert.ok(calls.length > 5)
  for (const { args } of calls) assert.ok(args.amount <= callLimit)
  assert.deepEqual([(await network.operator.get('/v1/admin/ledger')).problem, (await balance(provider)).paid], [null, (await balance(provider)).earned])
})

test('who asks to leave is stopped at once, and what ran is paid to the last unit before it may go', async () => {
  leaver = await person()
  await deposit(leaver, 5_000_000n, dollar)
  await reaches(leaver, 'credited')
  const order = { image: demoImage, cpu_milli: 300, memory: '32MiB', disk: '256MiB', stop_timeout_s: 1 }
  const { id } = await leaver.post('/v1/rentals', order, 201)
  await until('it to be charged', async () => micro((await leaver.get(`/v1/rentals/${id}`)).charged) > 0n, longMs)
  await write(leaver.wallet, escrow, 'requestExit', [dollar.address])
  await until('it to be over', async () => (await leaver.get(`/v1/rentals/${id}`)).billing === 'closed', longMs)
  const { reason, charged } = await leaver.get(`/v1/rentals/${id}`)
  assert.equal(reason, 'left_escrow')
  await leaver.refused('POST', '/v1/rentals', order, 409, 'leaving-the-escrow')
  unspent = 5_000_000n - micro(charged)
  await until('all to be paid', async () => await read('balance', [dollar.address, leaver.address]) === unspent, longMs)
  await until('the ledger to know', async () => (await balance(worker.provider)).due === '0.0', longMs)
  const { available, held, withdrawable } = await balance(leaver)
  assert.deepEqual([micro(available), held, withdrawable], [unspent, '0.0', '0.0'])
})

test('KAI becomes points only as far as the network\'s own deposit covers them', async () => {
  const it = await person()
  await deposit(it, 10n ** 18n, kai)
  await reaches(it, 'converting')
  await says(/KAI wait: the network's own deposit.*does not cover.*kaisar deposit --for/)
  await stage.fund(10_000_000n)
  await reaches(it, 'credited')
  await until('all to be well', async () => await problem() === null, longMs)
})

test('a deposit of KAI above a limit holds up nobody else\'s', async () => {
  large = await person()
  const [larger, small] = [await person(), await person()]
  // More points than a day has are none's; more than the contract lets pass in a day waits.
  await deposit(larger, 7n * 10n ** 18n, kai)
  await reaches(larger, 'not_credited')
  assert.match((await larger.get('/v1/deposits')).items[0].detail, /more points than this network makes of KAI in a day.*kaisar escrow leave --token kai/)
  await deposit(large, 55n * 10n ** 17n, kai)
  await reaches(large, 'converting')
  await says(/KAI wait.*daily limit of KAI/)
  await deposit(small, 10n ** 18n, kai)
  await reaches(small, 'credited')
  assert.equal(await state(large), 'converting')
  // Who asked to leave is asked for nothing more, though there is room again.
  await write(large.wallet, escrow, 'requestExit', [kai.address])
  await until('all to be well', async () => await problem() === null, longMs)
  await setLimit(kai, 10n ** 24n)
  await deposit(small, 10n ** 17n, kai)
  await until('the next', async () => (await small.get('/v1/deposits')).items.filter((d) => d.state === 'credited').length === 2, longMs)
  assert.equal(await state(large), 'converting')
  await write(large.wallet, escrow, 'cancelExit', [kai.address])
  await says(/KAI wait for tomorrow.*kai_day_micro/)
  await write(large.wallet, escrow, 'requestExit', [kai.address])
})

// The chain's clock is moved: the last test.
test('when the delay is over each leaves with what it did not spend, and costs the network nothing', async () => {
  const fees = async () => micro((await network.operator.get('/v1/admin/ledger')).fees), before = await fees()
  await chain.call('evm_increaseTime', [exitDelayS])
  await chain.call('evm_mine', [])
  await write(large.wallet, escrow, 'exit', [kai.address])
  await write(leaver.wallet, escrow, 'exit', [dollar.address])
  await reaches(large, 'not_credited')
  assert.equal(await read('owed', [kai.address, large.address]), 55n * 10n ** 17n)
  await until('the ledger to know', async () => (await balance(leaver)).available === '0.0', longMs)
  assert.equal(await read('owed', [dollar.address, leaver.address]), unspent)
  assert.equal(await fees(), before)
  assert.equal((await network.operator.get('/v1/admin/ledger')).problem, null)
})
