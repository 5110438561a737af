// Providers are paid in the escrow contract: what rentals cost, to the last unit and once, whatever becomes of the control
// plane and of the chain. On real anvil, the real contracts, and machines that run containers.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWalletClient, http, parseEther } from 'viem'
import { micro } from './lib/bill.js'
import { Escrow } from './lib/escrow.js'
import { demoImage, sleep, until } from './lib/network.js'
import { Random } from './lib/random.js'

const exitDelayS = 3, longMs = 90000
let stage, chain, signer, network, escrow, dollar, kai, treasury, worker
let read, write, deposit, person, fund, problem

before(async () => {
  stage = await Escrow.start({
    finalAfter: 4, // three blocks are reorganised below: they must not be final yet
    terms: () => ({ exit_delay_s: exitDelayS }),
    settings: { chain_alarm_ms: 0, settle_after_ms: 2000, settle_every_ms: 1000, settle_least_micro: 1, charge_every_ms: 500 },
    options: ['--chain-kai-price', '0.3'],
  });
  ({ chain, signer, network, contract: escrow, dollar, kai, treasury, read, write, deposit, person, fund, problem } = stage)
  worker = await network.worker({ coreHour: '765.4321' })
})
after(() => stage?.stop())

const balance = (person) => person.get('/v1/balance')
const owed = (address, token = dollar) => read('owed', [token.address, address])
const settled = (payer, payee) => read('settled', [dollar.address, payer, payee])
const books = () => network.operator.get('/v1/admin/ledger')

async function tenant(units) {
  const it = await person()
  await deposit(it, units)
  await until('the deposit to count', async () => micro((await balance(it)).withdrawable) === units, longMs)
  return it
}

const order = (who) => who.post('/v1/rentals', {
  image: demoImage, cpu_milli: 200, memory: '32MiB', disk: '256MiB', stop_timeout_s: 1,
}, 201)

// Runs until so much was charged, and is over.
async function rent(who, least) {
  const { id } = await order(who)
  await until('it to be charged', async () => {
    const it = await who.get(`/v1/rentals/${id}`)
    assert.notEqual(it.state, 'failed', it.detail)
    return micro(it.charged) >= least
  }, longMs)
  await who.post(`/v1/rentals/${id}/stop`, {})
  await until('it to be over', async () => {
    const it = await who.get(`/v1/rentals/${id}`)
    return it.state === 'stopped' && it.billing === 'closed'
  }, longMs)
}

const paidUp = (provider) => until('the provider to be paid', async () => {
  const it = await balance(provider)
  return micro(it.earned) > 0n && it.due === '0.0' && it
}, longMs)

test('a rental is paid from the deposit: the provider has its share to collect, the treasury the fee', async () => {
  const { provider } = worker
  const it = await tenant(20_000_000n)
  await rent(it, 100_000n)
  const { earned, paid } = await paidUp(provider)
  assert.equal(paid, earned)
  const { items: [{ charged, fee }] } = await provider.get('/v1/earnings')
  const [total, part] = await settled(it.address, provider.address)
  assert.equal(total, micro(charged))
  assert.equal(part, micro(fee))
  assert.equal(await owed(provider.address), micro(earned))
  assert.equal(await owed(treasury), micro(fee))
  assert.equal((await balance(provider)).collectable, earned)
  assert.equal(await read('balance', [dollar.address, it.address]), micro((await balance(it)).withdrawable))
  assert.equal(await problem(), null)
  assert.deepEqual([(await books()).problem, (await books()).due], [null, '0.0'])

  // Fetched with the provider's own key.
  await chain.setBalance(provider.address, parseEther('1'))
  const wallet = createWalletClient({ chain: chain.public.chain, transport: http(chain.url), account: provider.account })
  await write(wallet, escrow, 'withdraw', [dollar.address, provider.address])
  assert.equal(await read('balanceOf', [provider.address], dollar), micro(earned))
  await until('it to be known', async () => (await balance(provider)).collectable === '0.0', longMs)
})

test('points are paid from the network\'s own deposit, and operators hear when it is too little', async () => {
  const { provider } = worker
  const it = await person()
  await network.credit(it, '5')
  await rent(it, 50_000n)
  await until('operators to hear', async () => /points paid.*deposit more for the treasury.*--for 0x/.test(await problem()), longMs)
  await until('the event', async () => (await network.operator.get('/v1/events')).items.some((e) => e.type === 'chain.problem' && e.subject === 'settlement'))
  const { due } = await balance(provider)
  await fund(50_000_000n)
  await paidUp(provider)
  const [total, fee] = await settled(treasury, provider.address)
  assert.deepEqual([total, fee], [micro(due), 0n])
  await until('all to be well', async () => await problem() === null, longMs)
  const { fund: left, balanced } = await books()
  assert.equal(micro(left), await read('balance', [dollar.address, treasury]))
  assert.equal(balanced, true)
})

test('KAI is credited as points at the published price, when the treasury has it, and once', async () => {
  assert.equal((await network.operator.get('/v1/network')).kai_price, '0.3')
  const it = await person({ tokens: 10n ** 20n })
  const before = await owed(treasury, kai)
  // 0.3 of each: 10 micro-units are 33.3.. e12 of its units.
  await deposit(it, 34n * 10n ** 12n, kai)
  await deposit(it, 2n * 10n ** 18n + 1n, kai)
  await deposit(it, 10n ** 12n, kai)
  const credited = await until('both to be credited', async () => {
    const { items } = await it.get('/v1/deposits')
    return items.length === 3 && items.filter((d) => d.state === 'credited').length === 2 && items
  }, longMs)
  const [small, little, large] = credited.sort((a, b) => Number(BigInt(a.amount) - BigInt(b.amount)))
  assert.match(small.detail, /too little for 0\.000001/)
  assert.deepEqual([small.state, small.rest], ['not_credited', null])
  assert.deepEqual([little.credited, little.price, little.rest], ['0.00001', '0.3', String(34n * 10n ** 12n - (10n ** 14n + 2n) / 3n)])
  assert.deepEqual([large.credited, large.rest], ['0.6', '1'])
  const { available, points, withdrawable } = await balance(it)
  assert.deepEqual({ available, points, withdrawable }, { available: '0.60001', points: '0.60001', withdrawable: '0.0' })
  const used = 34n * 10n ** 12n - BigInt(little.rest) + 2n * 10n ** 18n
  assert.equal(await owed(treasury, kai) - before, used)
  assert.equal(await read('balance', [kai.address, it.address]), BigInt(little.rest) + 1n + 10n ** 12n)
})

test('who leaves with what was spent costs the network, not the provider', async () => {
  const { provider } = worker
  const it = await tenant(5_000_000n)
  // Nobody is named who may leave within the hour: it leaves with all of it.
  await write(it.wallet, escrow, 'requestExit', [dollar.address])
  await until('the ledger to know', async () => (await balance(it)).leaves_at)
  await it.refused('POST', '/v1/rentals', { image: demoImage, cpu_milli: 100, memory: '32MiB', disk: '256MiB' }, 409, 'leaving-the-escrow')
  await write(it.wallet, escrow, 'cancelExit', [dollar.address])
  await until('it to be back', async () => (await balance(it)).withdrawable === '5.0')
  const { id } = await order(it)
  await until('it to be charged', async () => micro((await it.get(`/v1/rentals/${id}`)).charged) > 0n, longMs)
  await write(it.wallet, escrow, 'requestExit', [dollar.address])
  await sleep(1000 * (exitDelayS + 1))
  await write(it.wallet, escrow, 'exit', [dollar.address])
  await until('the ledger to know', async () => (await books()).balanced && (await balance(it)).withdrawable === '0.0', longMs)
  await until('it to be over', async () => {
    const rental = await it.get(`/v1/rentals/${id}`)
    return rental.ended_at && rental.billing === 'closed'
  }, longMs)
  assert.equal((await it.get(`/v1/rentals/${id}`)).reason, 'left_escrow')
  const { earned, paid } = await paidUp(provider)
  assert.equal(paid, earned)
  // It comes again: nothing of the old is asked of the new.
  const { held, points } = await balance(it)
  await deposit(it, 1_000_000n)
  await until('the deposit to count', async () => (await balance(it)).withdrawable === '1.0', longMs)
  await sleep(3000)
  assert.equal(await read('balance', [dollar.address, it.address]), 1_000_000n)
  assert.deepEqual([held, points], [(await balance(it)).held, (await balance(it)).points])
})

test('ledger and contract are equal to the last unit, whatever is killed and reorganised', async () => {
  const dice = new Random('settlement'), tenants = []
  for (let i = 0; i < 3; i++) tenants.push(await tenant(BigInt(2_000_000 + dice.below(3_000_000))))
  for (const it of tenants.slice(1)) await network.credit(it, '0.35')
  let going = true
  const killing = (async () => {
    while (going) {
      await sleep(500 + dice.below(2500))
      await network.server.kill()
      await network.startServer()
    }
  })()
  // What is asked while nobody is there is asked again.
  const insist = (what, ask) => until(what, () => ask().catch(() => null), longMs)
  const ids = []
  for (let i = 0; i < 6; i++) {
    const it = tenants[i % 3]
    const asked = await insist('an order', () => it.raw('POST', '/v1/rentals', {
      image: demoImage, cpu_milli: 100, memory: '32MiB', disk: '256MiB', stop_timeout_s: 1,
    }, { 'idempotency-key': `order-${i}` }))
    assert.equal(asked.status, 201, asked.text)
    ids.push([it, asked.json.id])
    if (i === 3) await chain.call('anvil_reorg', [3, []])
  }
  for (const [it, id] of ids) {
    await insist(`${id} to be charged`, async () => {
      const rental = await it.get(`/v1/rentals/${id}`)
      return micro(rental.charged) > 0n || rental.ended_at
    })
    await insist(`${id} to be over`, async () => {
      const rental = await it.get(`/v1/rentals/${id}`)
      if (!rental.ended_at) await it.raw('POST', `/v1/rentals/${id}/stop`, {})
      return rental.ended_at && rental.billing !== 'metering'
    })
  }
  going = false
  await killing
  await chain.call('anvil_reorg', [3, []])
  const { provider } = worker
  await paidUp(provider)

  // What lies in the contract is what tenants may withdraw and the network's own; every row is what it says.
  const ledger = await until('all to be settled', async () => {
    const it = await books()
    return it.due === '0.0' && it
  }, longMs)
  assert.equal(ledger.problem, null)
  await until('the ledger to have what the contract has', async () =>
    micro((await books()).escrow) === await read('totalBalance', [dollar.address]), longMs)
  for (const it of tenants)
    assert.equal(micro((await balance(it)).withdrawable), await read('balance', [dollar.address, it.address]))
  const events = async (eventName) => chain.public.getContractEvents({ ...escrow, eventName, fromBlock: 0n })
  const ofDollar = (logs) => logs.filter((log) => log.args.token.toLowerCase() === dollar.address.toLowerCase())
  const sum = (logs, of) => logs.reduce((total, log) => total + of(log.args), 0n)
  const charged = ofDollar(await events('Charged'))
  const { paid, earned } = await balance(provider)
  assert.equal(micro(paid), sum(charged.filter((log) => log.args.provider === provider.address), (a) => a.amount - a.fee))
  assert.equal(paid, earned)
  const byTenants = charged.filter((log) => log.args.tenant !== treasury)
  assert.equal(micro(ledger.settled), sum(byTenants, (a) => a.amount))
  // The contract's own invariant: it has what it owes.
  for (const token of [dollar, kai])
    assert.equal(await read('totalBalance', [token.address]) + await read('totalOwed', [token.address]),
      await read('balanceOf', [escrow.address], token))
})
