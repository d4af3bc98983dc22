// Genuine Feathers REST clients of the running gateway, and what the suites share about it.
//
// `CLIENTS_CONFIG` is JSON: {url, secret, postgres, seed, runs, organizations: {name: {id, key}}}.
// The pytest wrappers write it; every organization is fresh, so that a suite finds it empty.

import { createHmac } from 'node:crypto'
import http from 'node:http'

import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import axios from 'axios'

export const config = JSON.parse(process.env.CLIENTS_CONFIG)
export const USER = 45 // The user of every credential, as in the vendor's samples.
export const TRANSPORTS = ['fetch', 'axios']

// A pool of few kept-alive sockets: requests queue on them, so reuse is certain.
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
const MAKE = {
  fetch: () => rest(config.url).fetch(fetch),
  axios: () => rest(config.url).axios(axios.create({ httpAgent: agent, timeout: 10_000 }))
}

/** Return the `activities` service of a genuine client; `headers` go with every call. */
export function activities(transport, headers, customMethods = []) {
  const client = feathers()
  const wire = MAKE[transport]()
    .service('activities')
    .methods(...customMethods)
  const methods = ['find', 'get', 'create', 'update', 'patch', 'remove', ...customMethods]
  client.use('activities', wire, { methods })
  const addHeaders = (context) => {
    context.params.headers = { ...headers, ...context.params.headers }
  }
  client.hooks({ before: { all: [addHeaders] } })
  return client.service('activities')
}

/** Return a signed token; claims of `overrides` replace the usual ones. */
export function token(organization, overrides = {}, secret = config.secret) {
  const claims = {
    sub: String(USER),
    organization_id: organization.id,
    iat: now(),
    exp: now() + 3600,
    ...overrides
  }
  const signed = `${encoded({ alg: 'HS256', typ: 'access' })}.${encoded(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

const now = () => Math.floor(Date.now() / 1000)
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The ways to say who is calling, each giving the headers for an organization. */
export const CREDENTIALS = {
  'x-api-key': (organization) => ({ 'x-api-key': organization.key }),
  'Authorization: Bearer': (organization) => ({ Authorization: `Bearer ${token(organization)}` })
}

/** Send one GET with a JSON body, as the vendor's curl lines do; return status and parsed body. */
export function getWithBody(path, body, headers, url = config.url) {
  const text = JSON.stringify(body)
  const framing = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
  return new Promise((resolve, reject) => {
    const options = { method: 'GET', agent, headers: { ...headers, ...framing } }
    const request = http.request(url + path, options, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => {
        const answer = JSON.parse(Buffer.concat(chunks).toString())
        resolve({ status: response.statusCode, body: answer })
      })
    })
    request.setTimeout(10_000, () => request.destroy(new Error('no answer within 10 s')))
    request.on('error', reject)
    request.end(text)
  })
}

/** End every kept-alive socket, so that the process can end. */
export const disconnect = () => agent.destroy()
