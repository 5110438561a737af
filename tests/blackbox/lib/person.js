// Somebody with a wallet (viem's, independent of ours) and the HTTP face of the control plane.
import assert from 'node:assert/strict'
import { createSiweMessage } from 'viem/siwe'
import WebSocket from 'ws'
import { holdToContract } from './contract.js'

export class Person {
  constructor(network, account) {
    this.network = network
    this.account = account
    this.address = account.address
  }

  async login() {
    const nonce = await this.call('POST', '/v1/auth/nonce', {}, 201)
    const message = createSiweMessage({
      address: this.address, chainId: nonce.chain_id, domain: nonce.domain, nonce: nonce.nonce, uri: nonce.uri, version: '1',
      issuedAt: new Date(),
    })
    const signature = await this.account.signMessage({ message })
    const session = await this.call('POST', '/v1/auth/login', { message, signature }, 200)
    this.token = session.access_token
    this.refreshToken = session.refresh_token
    return session
  }

  // The answer's status, headers and body, whatever it is.
  async raw(method, path, body, headers = {}) {
    const answer = await fetch(this.network.url + path, {
      method,
      headers: {
        ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await answer.text()
    let json = null
    try { json = text ? JSON.parse(text) : null } catch { /* not JSON: the text says more */ }
    holdToContract(method, path, answer.status, answer.headers.get('content-type'), json)
    return { status: answer.status, headers: answer.headers, text, json }
  }

  async call(method, path, body, expected, headers) {
    const answer = await this.raw(method, path, body, headers)
    assert.equal(answer.status, expected, `${method} ${path}: ${answer.text}`)
    return answer.json
  }

  get(path, expected = 200) { return this.call('GET', path, undefined, expected) }
  post(path, body, expected = 200, headers) { return this.call('POST', path, body, expected, headers) }
  patch(path, body, expected = 200) { return this.call('PATCH', path, body, expected) }
  delete(path, expected = 204) { return this.call('DELETE', path, undefined, expected) }

  // A refusal: the status and the problem's type, named as people know it.
  async refused(method, path, body, status, type, field) {
    const answer = await this.raw(method, path, body)
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`)
    assert.equal(answer.headers.get('content-type'), 'application/problem+json')
    assert.equal(answer.json.type, `urn:kaisar:problem:${type}`, answer.text)
    if (field !== undefined) {
      assert.equal(answer.json.field, field, answer.text)
      assert.ok(answer.json.rule?.length > 5, answer.text)
    }
    return answer.json
  }

  socket(path) {
    return new Socket(this.network.url.replace('http', 'ws') + path, this.token)
  }
}

// A WebSocket whose messages can be waited for.
export class Socket {
  constructor(url, token) {
    this.messages = []
    this.waiting = []
    this.ws = new WebSocket(url, { headers: token ? { authorization: `Bearer ${token}` } : {} })
    this.ws.on('message', (data, binary) => {
      this.messages.push(binary ? data : JSON.parse(data.toString()))
      for (const wake of this.waiting.splice(0)) wake()
    })
    this.closed = new Promise((resolve) => {
      this.ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
      this.ws.on('unexpected-response', (_, answer) => {
        resolve({ status: answer.statusCode })
        this.ws.terminate()
      })
      this.ws.on('error', () => {})
    })
    this.closed.then((end) => {
      this.end = end
      for (const wake of this.waiting.splice(0)) wake()
    })
    this.opened = new Promise((resolve) => this.ws.on('open', resolve))
  }

  // The first message that fits; those before it are passed over.
  async next(fits = () => true, timeoutMs = 20000) {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      while (this.messages.length) {
        const message = this.messages.shift()
        if (fits(message)) return message
      }
      if (this.end) throw new Error(`closed with ${JSON.stringify(this.end)} while waiting`)
      const left = deadline - Date.now()
      if (left <= 0) throw new Error('no such message in time')
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left)
        this.waiting.push(() => { clearTimeout(timer); resolve() })
      })
    }
  }

  close() { this.ws.close() }
}
