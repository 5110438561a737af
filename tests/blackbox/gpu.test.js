// GPUs from the machine's driver to the container, with a fake driver library (tests/fake/fake_nvml.c) and CDI
// files whose device is /dev/null by another name: what is ours between the two is real.
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { Network, bin, demoImage, until } from './lib/network.js'

const uuids = [0, 1].map((i) => `GPU-00000000-0000-0000-0000-00000000000${i}`)
const order = { image: demoImage, cpu_milli: 200, memory: '32MiB', disk: '64MiB', stop_timeout_s: 1 }
let network, agent, tenant

before(async () => {
  network = await Network.start()
  const cdi = join(network.dir, 'cdi')
  await mkdir(cdi)
  await writeFile(join(cdi, 'nvidia.json'), JSON.stringify({
    cdiVersion: '0.5.0', kind: 'nvidia.com/gpu', containerEdits: { env: ['NVIDIA_ALL=1'] },
    devices: uuids.map((name, i) => ({
      name, containerEdits: { deviceNodes: [{ path: `/dev/nvidia${i}`, hostPath: '/dev/null' }], env: [`CARD_${i}=${name}`] },
    })),
  }))
  const fake = join(dirname(bin), '../../tests/fake')
  agent = await network.worker({ gpuHour: '7.2', cdi, env: { LD_LIBRARY_PATH: fake } })
  tenant = await network.tenant('10')
})
after(() => network?.stop())

const state = async (id) => (await tenant.get(`/v1/rentals/${id}`)).state

async function runs(change) {
  const rental = await tenant.post('/v1/rentals', { ...order, ...change }, 201)
  await until('it to run', async () => (await state(rental.id)) === 'running')
  return rental
}

async function stops(id) {
  await tenant.post(`/v1/rentals/${id}/stop`, {})
  await until('it to stop', async () => (await state(id)) === 'stopped')
}

async function lines(id) {
  const logs = tenant.socket(`/v1/rentals/${id}/logs?follow=true`)
  await logs.next((line) => line.text === 'done')
  logs.close()
  const all = tenant.socket(`/v1/rentals/${id}/logs`)
  await all.closed
  return all.messages.map((m) => m.text)
}

const look = ['/bin/sh', '-c', 'ls /dev | grep nvidia; env | grep -E "CARD|NVIDIA_ALL"; echo done; sleep 100']

test('the inventory names the cards, by every name that people use', async () => {
  const worker = await agent.provider.get(`/v1/workers/${agent.machine}`)
  assert.deepEqual(worker.inventory.gpus.map((g) => g.uuid), uuids)
  assert.equal(worker.inventory.gpus[0].memory_bytes, 24 * 2 ** 30)
  assert.equal(worker.inventory.gpus[0].cuda, '12.4')
  for (const name of ['RTX 4090', 'RTX_4090', 'rtx4090', 'nvidia-rtx-4090']) {
    const { items } = await tenant.get(`/v1/offers?gpus=1&gpu_model=${encodeURIComponent(name)}`)
    assert.equal(items.length, 1, name)
    assert.equal(items[0].rate_hour, '7.2')
    assert.equal(items[0].gpus_free, 2)
  }
  const { items, excluded } = await tenant.get('/v1/offers?gpus=1&gpu_model=H100')
  assert.equal(items.length, 0)
  assert.equal(excluded.gpu_model, 1)
})

test('a container sees the cards it rented and no other; no card is sold twice', async () => {
  const first = await runs({ gpus: 1, gpu_model: 'RTX 4090', command: look })
  assert.equal(first.rate_hour, '7.2')
  const second = await runs({ gpus: 1, command: look })
  const cards = []
  for (const rental of [first, second]) {
    const text = await lines(rental.id)
    const mine = text.filter((t) => /^nvidia\d$/.test(t))
    assert.equal(mine.length, 1, JSON.stringify(text))
    assert.ok(text.includes('NVIDIA_ALL=1'))
    assert.ok(text.includes(`CARD_${mine[0].slice(-1)}=${uuids[mine[0].slice(-1)]}`))
    cards.push(mine[0])
  }
  assert.notEqual(cards[0], cards[1])
  const problem = await tenant.refused('POST', '/v1/rentals', { ...order, gpus: 1 }, 409, 'no-capacity')
  assert.match(problem.detail, /gpus/)
  await stops(first.id)
  await stops(second.id)
  const both = await runs({ gpus: 2, command: look })
  assert.equal(both.rate_hour, '14.4')
  assert.equal((await lines(both.id)).filter((t) => /^nvidia\d$/.test(t)).length, 2)
  await stops(both.id)
})
