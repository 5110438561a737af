// The contract equals the route tables: paths, methods, permissions, parameters, bodies and bounds.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { contract } from './lib/contract.js'
import { bin } from './lib/network.js'

const rows = JSON.parse(execFileSync(bin, ['server', '--routes'], { encoding: 'utf8' }))

function bounds(field, schema, what) {
  switch (field.type) {
    case 'text':
      assert.deepEqual([schema.type, schema.minLength, schema.maxLength], ['string', field.min, field.max], what)
      break
    case 'integer':
      assert.deepEqual([schema.type, schema.minimum, schema.maximum], ['integer', field.min, field.max], what)
      break
    case 'boolean':
      assert.equal(schema.type, 'boolean', what)
      break
    case 'amount':
      assert.deepEqual([schema.type, schema['x-min-micro'], schema['x-max-micro']], ['string', field.min, field.max], what)
      break
    case 'size':
      assert.deepEqual([schema['x-min-bytes'], schema['x-max-bytes']], [field.min, field.max], what)
      break
    case 'address':
      assert.equal(schema.$ref, '#/components/schemas/Address', what)
      break
    case 'word':
      assert.deepEqual(schema.enum, field.words, what)
      break
    case 'texts':
      assert.deepEqual([schema.maxItems, schema.items.minLength, schema.items.maxLength], [field.count, field.min, field.max], what)
      break
    case 'integers':
      assert.deepEqual([schema.maxItems, schema.items.minimum, schema.items.maximum], [field.count, field.min, field.max], what)
      break
    case 'pairs':
      assert.deepEqual([schema.maxProperties, schema.additionalProperties.maxLength], [field.count, field.max], what)
      break
    case 'id':
      assert.equal(schema.type, 'string', what)
      break
    default:
      assert.fail(`${what}: the test does not know the type ${field.type}`)
  }
}

function sameFields(fields, properties, required, what) {
  const names = [...new Set(fields.map((f) => f.name))]
  assert.deepEqual(Object.keys(properties).sort(), [...names].sort(), what)
  for (const field of fields) {
    bounds(field, properties[field.name], `${what} ${field.name}`)
    assert.equal(required.includes(field.name), field.required, `${what} ${field.name} required`)
  }
}

test('every route is in the contract, and nothing else', () => {
  const routes = rows.map((r) => `${r.method} ${r.path}`).sort()
  const documented = Object.entries(contract.paths).flatMap(([path, ops]) => Object.keys(ops).map((m) => `${m.toUpperCase()} ${path}`)).sort()
  assert.deepEqual(documented, routes)
})

for (const row of rows) {
  test(`${row.method} ${row.path}`, () => {
    const operation = contract.paths[row.path][row.method.toLowerCase()]
    const what = `${row.method} ${row.path}`
    assert.equal(operation['x-permission'], row.permission, what)
    assert.equal(Boolean(operation['x-websocket']), row.websocket, what)
    assert.deepEqual(operation.security, row.permission === 'public' ? [] : undefined, what)
    const parameters = operation.parameters ?? []
    assert.deepEqual(parameters.filter((p) => p.in === 'path').map((p) => p.name), [...row.path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]), what)
    assert.equal(parameters.some((p) => p.name === 'Idempotency-Key'), row.idempotent, what)
    const query = parameters.filter((p) => p.in === 'query')
    sameFields(row.query, Object.fromEntries(query.map((p) => [p.name, p.schema])), query.filter((p) => p.required).map((p) => p.name), `${what}?`)
    const body = operation.requestBody?.content['application/json'].schema
    sameFields(row.body, body?.properties ?? {}, body?.required ?? [], what)
    if (body) assert.equal(body.additionalProperties, false, what)
  })
}
