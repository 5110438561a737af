// A tenant's rentals, followed to their end, and what must hold of each, whatever broke meanwhile.
import assert from 'node:assert/strict'
import { checkBill } from './bill.js'
import { containersOf, engine, engineCall, until } from './network.js'

export const ends = ['stopped', 'failed', 'lost']

export class Rentals {
  constructor(network, tenant, socket = engine) {
    Object.assign(this, { network, tenant, socket })
  }

  order(body) { return this.tenant.post('/v1/rentals', body, 201) }
  get(id) { return this.tenant.get(`/v1/rentals/${id}`) }
  containers(id) { return containersOf(id, this.socket) }

  async fits(id, fits, what, timeoutMs = 40000) {
    let last
    return until(`${id} to be ${what}`, async () => {
      last = await this.get(id)
      return fits(last) && last
    }, timeoutMs).catch((error) => { throw new Error(`${error.message}; is ${JSON.stringify(last)}`) })
  }

  is(id, ...states) { return this.fits(id, (r) => states.includes(r.state), states.join(' or ')) }

  // How long the engine itself says that the container ran, in seconds; null: it has none.
  async ran(id) {
    const [container] = await this.containers(id)
    if (!container) return null
    const { State: state } = await engineCall('GET', `/containers/${container.Id}/json`, this.socket)
    const from = Date.parse(state.StartedAt)
    if (!(from > 0)) return 0
    return ((state.Running ? Date.now() : Date.parse(state.FinishedAt)) - from) / 1000
  }

  // Every signature, every charge, and no second that the container did not run.
  async bill(id) {
    const ran = await this.ran(id)
    const bill = await checkBill(await this.tenant.get(`/v1/bills/${id}`), this.network.address)
    if (ran !== null) assert.ok(bill.seconds <= ran + 1, `billed ${bill.seconds} s of ${ran} s that it ran`)
    return { ...bill, ran }
  }

  async ledgerHolds() {
    const ledger = await this.network.operator.get('/v1/admin/ledger')
    assert.equal(ledger.balanced, true, JSON.stringify(ledger))
  }

  async nothingHeld() {
    assert.equal((await this.tenant.get('/v1/balance')).held, '0.0')
  }

  // Stops it if needed; it has a reason, a bill that holds, and goes without a trace.
  async endsCleanly(id) {
    if (!ends.includes((await this.get(id)).state)) await this.tenant.post(`/v1/rentals/${id}/stop`, {})
    const ended = await this.is(id, ...ends)
    assert.ok(ended.reason, JSON.stringify(ended))
    assert.ok(ended.attempts <= 3)
    assert.ok((await this.containers(id)).length <= 1, 'never two containers for one rental')
    const { seconds } = await this.bill(id)
    await this.tenant.delete(`/v1/rentals/${id}`)
    await until('the container to be gone', async () => (await this.containers(id)).length === 0, 30000)
    const { seconds: later } = await checkBill(await this.tenant.get(`/v1/bills/${id}`), this.network.address)
    assert.ok(later >= seconds && later <= seconds + 1, `${later} s after ${seconds} s`)
    await this.ledgerHolds()
    return ended
  }

  // What never ran: a reason, no money, and no trace of a run.
  async endsUnbilled(id, reason) {
    const ended = await this.is(id, ...ends)
    assert.match(ended.reason, reason, JSON.stringify(ended))
    assert.equal(ended.charged, '0.0')
    assert.equal(ended.seconds, 0)
    assert.ok(ended.detail.length > 5, 'says why')
    const { items } = await this.tenant.get(`/v1/rentals/${id}/history`)
    assert.ok(items.every((move) => move.to !== 'running'))
    await this.nothingHeld()
    return ended
  }
}
