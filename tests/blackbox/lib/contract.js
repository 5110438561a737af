// api/openapi.yaml as a judge: every answer that a test sees must be one that the contract describes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import Ajv from 'ajv/dist/2020.js'
import { parse } from 'yaml'

export const contract = parse(readFileSync(new URL('../../../api/openapi.yaml', import.meta.url), 'utf8'))

const ajv = new Ajv({ strict: false, allErrors: true })
ajv.addSchema({ $id: 'openapi', components: contract.components })
const compiled = new Map()

const rows = Object.entries(contract.paths).flatMap(([path, operations]) => Object.entries(operations).map(([method, operation]) => ({
  path, method: method.toUpperCase(), operation,
  pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
  weight: path.split('{').length,
})))

function find(method, path) {
  return rows.filter((row) => row.method === method && row.pattern.test(path)).sort((a, b) => a.weight - b.weight)[0]
}

// References inside the contract become references into the registered copy.
function local(schema) {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"openapi#/components/'))
}

function validator(key, schema) {
  if (!compiled.has(key)) compiled.set(key, ajv.compile(local(schema)))
  return compiled.get(key)
}

function check(key, schema, json) {
  const valid = validator(key, schema)
  assert.ok(valid(json), `${key}: ${JSON.stringify(valid.errors?.slice(0, 3))} in ${JSON.stringify(json).slice(0, 600)}`)
}

export function holdToContract(method, url, status, type, json) {
  const row = find(method, url.split('?')[0])
  if (status >= 400) {
    // Beyond the table there are 404 and 405; everything refused is a problem.
    if (type === 'application/problem+json') check('problem', contract.components.schemas.Problem, json)
    return
  }
  assert.ok(row, `${method} ${url} is answered but not in the contract`)
  const answer = row.operation.responses[String(status)]
  assert.ok(answer, `${method} ${row.path} answers ${status}, which the contract does not name`)
  const schema = answer.content?.['application/json']?.schema
  if (schema) check(`${method} ${row.path} ${status}`, schema, json)
  else assert.equal(json, null, `${method} ${row.path} ${status} has no body in the contract`)
}
